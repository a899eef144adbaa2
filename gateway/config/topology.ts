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
    .array(nameInBroker('an exchange', 'shop.events'))
    .default([])
    .describe('Topic exchanges, each with <exchange>.dead-letters, an exchange and a queue'),
  queues: z
    .record(nameInBroker('a queue', 'warehouse.order-placed'), queue)
    .default({})
    .describe('Quorum queues by name, with their bindings, retry queues and delivery limit'),
})

export type TopologySection = z.output<typeof topologySchema>

/** The section as the broker is asked for it; `published` are the exchanges that policies publish to. */
export function toTopologyWish({ exchanges, queues }: TopologySection, published: readonly string[]): TopologyWish {
  return {
    exchanges,
    published,
    queues: Object.entries(queues).map(([name, { exchange, bind, 'delivery-limit': deliveryLimit, retry }]) => ({
      name,
      exchange,
      bind,
      deliveryLimit,
      retryMs: retry,
    })),
  }
}

/** Mistakes that show only when names are held against each other. */
export function topologyMistakes({ exchanges, queues }: TopologySection): DataMistake[] {
  const exchangeNames = new Names('exchange')
  for (const [i, name] of exchanges.entries()) exchangeNames.take(name, ['topology', 'exchanges', i])
  const queueNames = new Names('queue')
  for (const name of Object.keys(queues)) queueNames.take(name, ['topology', 'queues', name])
  for (const [i, name] of exchanges.entries()) {
    const path = ['topology', 'exchanges', i]
    exchangeNames.take(deadLetterName(name), path, name)
    queueNames.take(deadLetterName(name), path, name)
  }
  const mistakes: DataMistake[] = []
  for (const [name, { exchange, bind, retry }] of Object.entries(queues)) {
    const path = ['topology', 'queues', name]
    if (!exchanges.includes(exchange)) {
      const hint = didYouMean(exchange, exchanges) || '; list it in topology.exchanges'
      mistakes.push({ path: [...path, 'exchange'], message: `unknown exchange "${exchange}"${hint}` })
    }
    for (const [i, text] of bind.entries()) {
      if (bind.indexOf(text) < i) mistakes.push({ path: [...path, 'bind', i], message: `"${text}" stands twice` })
    }
    for (const [i, delayMs] of retry.entries()) {
      queueNames.take(retryQueueName(name, delayMs), [...path, 'retry', i], name)
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
