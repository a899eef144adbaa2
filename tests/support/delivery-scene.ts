import { type AMQPBaseClient, type AMQPChannel, AMQPClient } from '@cloudamqp/amqp-client'
import { createAmqpPublisher } from '../../gateway/events/amqp-publisher.ts'
import { createEventBus } from '../../gateway/events/event-bus.ts'
import { startLease } from '../../gateway/events/lease.ts'
import type { Outbox } from '../../gateway/events/outbox.ts'
import { createRelay } from '../../gateway/events/relay.ts'
import { createTestGateway } from './gateway.ts'
import { orderPlaced } from './outbox-conformance.ts'
import { realClock, until } from './real-time.ts'
import { recordTelemetry } from './recorded-telemetry.ts'

/** A relay between an outbox and a real broker, on real time. Bounds are shorter than in production, so that tests are. */
export function startDelivering(outbox: Outbox, url: string, clock = realClock) {
  const telemetry = recordTelemetry()
  const parts = { outbox, clock, random: Math.random, ...telemetry }
  const publisher = createAmqpPublisher({ ...parts, url, connectTimeoutMs: 1_000, confirmTimeoutMs: 1_000 })
  const lease = startLease({ ...parts, holder: crypto.randomUUID() })
  const relay = createRelay({ ...parts, publisher, lease })
  return {
    relay,
    publisher,
    telemetry,
    /** Stores the event of an order and wakes the relay, as the event bus does. */
    async order(id: string, subject: string, exchange: string, data: unknown = { id }): Promise<void> {
      await outbox.intend(id, { route: 'place-order', method: 'POST', path: '/orders' }, Date.now())
      await outbox.commit(id, {
        event: { ...orderPlaced(id, subject), data },
        address: { exchange, routingKey: 'order.placed' },
        committedAtMs: Date.now(),
      })
      relay.wake()
    },
    /** Resolves when nothing waits for the broker any more; rejects with how much does, and why, if that takes too long. */
    async drained(withinMs: number): Promise<void> {
      const left = async () => (await outbox.counts()).committed
      await until('an empty outbox', async () => (await left()) === 0, withinMs).catch(async ({ message }: Error) => {
        const [first] = await outbox.due(1, new Set())
        const facts = { left: await left(), publisher: publisher.state, first: first && relay.waiting(first) }
        throw new Error(`${message}, and not ${JSON.stringify(facts)}`)
      })
    },
    async stop(): Promise<void> {
      await relay.stop()
      await lease.stop()
      await publisher.close()
      await outbox.close()
    },
  }
}

interface Counter {
  readonly exchange: string
  /** What the order service says to the next order. */
  readonly answer: () => { readonly id: string }
}

/** A gateway whose one route takes orders and announces them through that outbox; the function places one. */
export async function openCounter(
  outbox: Outbox,
  { relay, telemetry }: ReturnType<typeof startDelivering>,
  { exchange, answer }: Counter,
): Promise<() => Promise<Response>> {
  const createId = () => crypto.randomUUID()
  const events = createEventBus({
    outbox,
    clock: realClock,
    random: Math.random,
    createId,
    wake: relay.wake,
    ...telemetry,
  })
  const gateway = await createTestGateway({
    policies: [{ publish: { type: 'order.placed', exchange, subject: '{response.body.id}' } }],
    upstream: () => Response.json(answer(), { status: 201 }),
    services: { events },
  })
  return () => gateway.fetch('/x/1', { method: 'POST' })
}

export interface Arrival {
  readonly id: string
  readonly subject: string
  readonly body: string
}

/** An exchange of a test's own, with a durable queue that gets everything. */
export interface WatchedExchange {
  readonly exchange: string
  readonly queue: string
  /** Takes what is in the queue until it is empty, in order, repeats included. */
  drain(): Promise<Arrival[]>
  /** Makes exchange, queue and binding where they are missing, as consumers do each time they connect. */
  declare(): Promise<void>
  /** Something else on the exchange, over a channel of its own. */
  use<Result>(work: (channel: AMQPChannel) => Promise<Result>): Promise<Result>
  remove(): Promise<void>
}

/** Declares it on the broker at `url`, to which it connects anew for each thing it does. */
export async function watchExchange(url: string, queueType = 'classic'): Promise<WatchedExchange> {
  const exchange = `outbox-${crypto.randomUUID()}`
  const queue = `${exchange}.all`

  async function use<Result>(work: (channel: AMQPChannel) => Promise<Result>): Promise<Result> {
    const client: AMQPBaseClient = await new AMQPClient(url).connect()
    try {
      return await work(await client.channel())
    } finally {
      await client.close().catch(() => {})
    }
  }

  const declare = () =>
    use(async (channel) => {
      await channel.exchangeDeclare(exchange, 'topic', { durable: true })
      await channel.queueDeclare(queue, { durable: true }, { 'x-queue-type': queueType })
      await channel.queueBind(queue, exchange, '#')
    })

  await declare()
  return {
    exchange,
    queue,
    declare,
    use,
    drain: () =>
      use(async (channel) => {
        const arrivals: Arrival[] = []
        for (;;) {
          const message = await channel.basicGet(queue, { noAck: true })
          if (!message) return arrivals
          const { messageId = '', headers } = message.properties
          const subject = String(headers?.cloudEvents_subject ?? '')
          arrivals.push({ id: messageId, subject, body: message.bodyToString() ?? '' })
        }
      }),
    remove: () =>
      use(async (channel) => {
        await channel.queueDelete(queue)
        await channel.exchangeDelete(exchange)
      }),
  }
}

/** Ids in the order each came first: what a consumer that knows repeats acts on. */
export function firstsOf(arrivals: readonly Arrival[], subject?: string): string[] {
  return [...new Set(arrivals.filter((each) => subject === undefined || each.subject === subject).map(({ id }) => id))]
}
