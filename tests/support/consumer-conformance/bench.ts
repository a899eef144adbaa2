import { type AMQPChannel, AMQPClient, type AMQPMessage } from '@cloudamqp/amqp-client'
import { toMessage } from '../../../upstream-mocks/consumer/cloud-event.ts'
import {
  type CloudEvent,
  type Consumer,
  type ConsumerOptions,
  createConsumer,
  createInbox,
  type Inbox,
  openDatabase,
  type Reaction,
} from '../../../upstream-mocks/consumer/index.ts'
import { until } from '../real-time.ts'

/** The type every consumer of the bench takes, and the one that follows from it. */
export const TYPE = 'note.taken'
export const FOLLOWS = 'note.filed'
export const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'

/** One consumer under test with its database; `path` may be shared by one that is started after it. */
export interface Bench {
  readonly inbox: Inbox
  readonly consumer: Consumer
  readonly lines: readonly { readonly message: string; readonly facts: Readonly<Record<string, unknown>> }[]
}

export interface BenchOptions extends Partial<ConsumerOptions> {
  readonly path?: string
  /** What to do about an event; by default nothing. What it throws is its failure. */
  readonly apply?: Reaction['apply']
  readonly mistakeIn?: (data: unknown) => string | undefined
}

/** A broker under test with names of its own, and everything a test asks it. */
export interface Site {
  readonly exchange: string
  readonly queue: string
  readonly deadLetters: string
  readonly channel: AMQPChannel
  run(options?: BenchOptions): Promise<Bench>
  stop(bench: Bench): Promise<void>
  publish(event: CloudEvent, change?: { readonly body?: string | Uint8Array; readonly headers?: object }): Promise<void>
  depth(queue: string): Promise<number>
  /** Waits until `count` dead letters are there and takes them. */
  takeDeadLetters(count: number): Promise<readonly AMQPMessage[]>
  /** What an operator's replay does: to the queue it came from, same id, without the marks of its failure. */
  replay(letter: AMQPMessage): Promise<void>
  /** Starts to collect what is published with a routing key. */
  listen(routingKey: string): Promise<readonly AMQPMessage[]>
  close(): Promise<void>
}

/** Patience in milliseconds, so that a test sees all of it. */
export const FAST = { retriesMs: [5, 10, 15], delaysMs: [50, 60, 70] } as const

/** Connects to the broker; `close` leaves nothing behind on it. */
export async function openSite(url: string): Promise<Site> {
  const client = new AMQPClient(url)
  await client.connect()
  const channel = await client.channel()
  await channel.confirmSelect()
  const prefix = `consumers-${crypto.randomUUID()}.`
  const exchange = `${prefix}events`
  const queue = `${prefix}notes.note-taken`
  const deadLetters = `${exchange}.dead-letters`
  const running = new Set<Bench>()
  const extra: string[] = []

  async function run({ path = ':memory:', apply = () => [], mistakeIn, ...options }: BenchOptions = {}) {
    const lines: { message: string; facts: Readonly<Record<string, unknown>> }[] = []
    const write = (message: string, facts = {}) => void lines.push({ message, facts })
    const inbox = createInbox({
      service: 'notes',
      database: openDatabase(path),
      reactions: [{ type: TYPE, apply }],
      schemas: { mistakeIn: (type, data) => (type === TYPE ? mistakeIn?.(data) : undefined) },
      now: options.now ?? Date.now,
      onStep: options.onStep,
    })
    const log = { info: write, warn: write }
    const consumer = createConsumer({ url, inbox, exchange, queuePrefix: prefix, log, ...FAST, ...options })
    const bench: Bench = { inbox, consumer, lines }
    running.add(bench)
    consumer.start()
    await until('the consumer is connected or refused', () => lines.length > 0)
    return bench
  }

  async function publish(event: CloudEvent, { body, headers }: { body?: string | Uint8Array; headers?: object } = {}) {
    const message = toMessage(event)
    const properties = { ...message.properties, headers: { ...message.properties.headers, ...headers } }
    await channel.basicPublish(exchange, event.type, body ?? message.body, properties, true)
  }

  const depth = async (name: string) => (await channel.queueDeclare(name, { passive: true })).messageCount

  return {
    exchange,
    queue,
    deadLetters,
    channel,
    run,
    async stop(bench) {
      await bench.consumer.stop()
      running.delete(bench)
    },
    publish,
    depth,
    async takeDeadLetters(count) {
      await until(`${count} dead letters`, async () => (await depth(deadLetters)) >= count)
      const letters: AMQPMessage[] = []
      for (let letter = await channel.basicGet(deadLetters, { noAck: true }); letter; ) {
        letters.push(letter)
        letter = await channel.basicGet(deadLetters, { noAck: true })
      }
      return letters
    },
    async replay({ properties, body, routingKey }) {
      const kept = Object.entries(properties.headers ?? {}).filter(([name]) => !/^x-(?:error-|attempts)/.test(name))
      await channel.basicPublish('', routingKey, body, { ...properties, headers: Object.fromEntries(kept) }, true)
    },
    async listen(routingKey) {
      const name = `${prefix}listener-${routingKey}`
      extra.push(name)
      await channel.queueDeclare(name, { durable: true })
      await channel.queueBind(name, exchange, routingKey)
      const messages: AMQPMessage[] = []
      await channel.basicConsume(name, { noAck: true }, (message) => void messages.push(message))
      return messages
    },
    async close() {
      for (const bench of running) await bench.consumer.stop()
      const cleaning = await client.channel()
      const delays = FAST.delaysMs.map((ms) => `${queue}.retry-${ms}ms`)
      for (const name of [...extra, queue, ...delays, deadLetters]) await cleaning.queueDelete(name)
      await cleaning.exchangeDelete(exchange)
      await cleaning.exchangeDelete(deadLetters)
      await client.close()
    },
  }
}

/** An event of the bench. */
export function note(id: string, change: Partial<CloudEvent> = {}): CloudEvent {
  return {
    id,
    type: TYPE,
    source: '/bench',
    subject: id,
    time: new Date().toISOString(),
    traceparent: `00-${TRACE}-00f067aa0ba902b7-01`,
    data: { text: id },
    ...change,
  }
}
