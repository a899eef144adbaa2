import { z } from 'zod'
import { deadLetterName, retryQueueName, type TopologyWish } from '../core/topology.ts'
import { duration, shortText, show } from './fields.ts'
import type { DataMistake } from './issues.ts'
import { didYouMean } from './mistake.ts'

/** `topology` of the file: the exchanges and queues the broker must have. */

const nameInBroker = (what: string, example: string) =>
  shortText({
    error: (issue) => `expected the name of ${what} such as "${example}", found ${show(issue.input)}`,
  }).refine((name) => !name.startsWith('amq.'), {
    error: 'names that begin with "amq." are the broker\'s own: choose another',
  })

const pattern = shortText({
  error: (issue) =>
    `expected a pattern of routing keys such as "order.placed" or "order.*", found ${show(issue.input)}`,
}).refine((text) => text.split('.').every((word) => word.length === 1 || !/[*#]/.test(word)), {
  error: ({ input }) =>
    `expected "*" and "#" as whole words, as in "order.*" (one word) or "order.#" (any number), found ${show(input)}`,
})

const exchangeName = nameInBroker('an exchange', 'shop.events')
const queueName = nameInBroker('a queue', 'warehouse.order-placed')

/** The longest `x-message-ttl` RabbitMQ takes, in milliseconds. */
const MAX_DELAY_MS = 4_294_967_295

const delay = duration.refine((ms) => ms <= MAX_DELAY_MS, {
  error: 'is longer than a message can wait on the broker: at most 49d',
})

const queue = z.strictObject({
  exchange: z.string().describe('Exchange it takes messages from, one of topology.exchanges'),
  bind: z.array(pattern).min(1).describe('Routing keys it takes: "*" stands for one word, "#" for any number'),
  'delivery-limit': z
    .int()
    .min(1)
    .max(1_000)
    .default(10)
    .describe('Deliveries that may fail before the broker makes a message a dead letter'),
  retry: z
    .array(delay)
    .max(10)
    .prefault(['10s', '30s', '90s'])
    .describe('Delays for which there is a queue where failed messages wait: <queue>.retry-10s'),
})

export const topologySchema = z.strictObject({
  exchanges: z
    .array(exchangeName)
    .default([])
    .describe('Topic exchanges, each with <exchange>.dead-letters, an exchange and a queue'),
  'other-exchanges': z
    .array(shortText())
    .default([])
    .describe('Exchanges that routes publish to and somebody else declares, of any kind, with their queues'),
  queues: z
    .record(queueName, queue)
    .default({})
    .describe('Quorum queues by name, with their bindings, retry queues and delivery limit'),
})

export type TopologySection = z.output<typeof topologySchema>

/** The section as the broker is asked for it; `published` are the exchanges that policies publish to. */
export function toTopologyWish(section: TopologySection, published: readonly string[]): TopologyWish {
  const { exchanges, 'other-exchanges': others, queues } = section
  return {
    exchanges,
    published,
    others,
    queues: Object.entries(queues).map(([name, { exchange, bind, 'delivery-limit': deliveryLimit, retry }]) => ({
      name,
      exchange,
      bind,
      deliveryLimit,
      retryMs: retry,
    })),
  }
}

/** The section as far as it can be read; an entry that cannot be is undefined, so that the others keep their places. */
export interface ReadableTopology {
  /** Undefined when it is no list. */
  readonly exchanges: readonly (string | undefined)[] | undefined
  readonly others: readonly (string | undefined)[] | undefined
  readonly queues: readonly ReadableQueue[]
}

interface ReadableQueue {
  readonly name: string
  readonly exchange: string | undefined
  readonly bind: readonly (string | undefined)[]
  readonly retryMs: readonly (number | undefined)[]
}

/** Reads every part by itself, so that one mistake does not hide what is wrong between the others. */
export function readableTopology(section: Readonly<Record<string, unknown>>): ReadableTopology {
  const { exchanges, 'other-exchanges': others, queues } = section
  const { shape } = queue
  return {
    exchanges: read(topologySchema.shape.exchanges, exchanges, exchangeName),
    others: read(topologySchema.shape['other-exchanges'], others, shortText()),
    queues: Object.entries(isMapping(queues) ? queues : {}).flatMap(([name, value]): ReadableQueue[] => {
      if (!queueName.safeParse(name).success || !isMapping(value)) return []
      return [
        {
          name,
          exchange: shape.exchange.safeParse(value.exchange).data,
          bind: read(shape.bind, value.bind, pattern) ?? [],
          retryMs: read(shape.retry, value.retry, delay) ?? [],
        },
      ]
    }),
  }
}

/** A list as its schema reads it, or entry by entry. */
function read<Value>(
  list: z.ZodType<readonly Value[]>,
  value: unknown,
  entry: z.ZodType<Value>,
): readonly (Value | undefined)[] | undefined {
  if (Array.isArray(value)) return value.map((one) => entry.safeParse(one).data)
  return list.safeParse(value).data
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Mistakes that show only when names are held against each other. */
export function topologyMistakes({ exchanges, others, queues }: ReadableTopology): DataMistake[] {
  const exchangeNames = new Names('exchange')
  const listed = (exchanges ?? []).flatMap((name, i) =>
    name === undefined ? [] : [{ name, path: ['topology', 'exchanges', i] }],
  )
  for (const { name, path } of listed) exchangeNames.take(name, path)
  const queueNames = new Names('queue')
  for (const { name } of queues) queueNames.take(name, ['topology', 'queues', name])
  for (const { name, path } of listed) {
    exchangeNames.take(deadLetterName(name), path, name)
    queueNames.take(deadLetterName(name), path, name)
  }
  const mistakes: DataMistake[] = []
  for (const [i, name] of (others ?? []).entries()) {
    if (name === undefined || !exchanges?.includes(name)) continue
    const message = `"${name}" is in topology.exchanges too: leave it out of one of them`
    mistakes.push({ path: ['topology', 'other-exchanges', i], message })
  }
  const known = listed.map(({ name }) => name)
  for (const { name, exchange, bind, retryMs } of queues) {
    const path = ['topology', 'queues', name]
    if (exchanges && exchange !== undefined && !known.includes(exchange)) {
      const hint = didYouMean(exchange, known) || '; list it in topology.exchanges'
      mistakes.push({ path: [...path, 'exchange'], message: `unknown exchange "${exchange}"${hint}` })
    }
    for (const [i, text] of bind.entries()) {
      if (text === undefined || bind.indexOf(text) === i) continue
      mistakes.push({ path: [...path, 'bind', i], message: `"${text}" stands twice` })
    }
    for (const [i, delayMs] of retryMs.entries()) {
      if (delayMs !== undefined) queueNames.take(retryQueueName(name, delayMs), [...path, 'retry', i], name)
    }
  }
  return [...mistakes, ...exchangeNames.mistakes, ...queueNames.mistakes]
}

const encoder = new TextEncoder()

/** Names of one kind on the broker, each with its owner in the file. */
class Names {
  readonly kind: string
  readonly taken = new Map<string, string | undefined>()
  readonly mistakes: DataMistake[] = []

  constructor(kind: string) {
    this.kind = kind
  }

  /** `owner` is what a derived name is derived from. */
  take(name: string, path: DataMistake['path'], owner?: string): void {
    const bytes = encoder.encode(name).byteLength
    if (bytes > 255) {
      const message = `the name of its ${this.kind} "${name.slice(-40)}" takes ${bytes} bytes, 255 fit: choose a shorter one`
      this.mistakes.push({ path, message })
    }
    if (this.taken.has(name)) {
      const other = this.taken.get(name) ?? owner
      const whose = other === undefined ? '' : `: "${other}" brings one of that name`
      this.mistakes.push({ path, message: `the ${this.kind} "${name}" stands twice${whose}` })
    }
    this.taken.set(name, owner)
  }
}
