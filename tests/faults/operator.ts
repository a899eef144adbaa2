import { type AMQPChannel, AMQPClient, type AMQPMessage } from '@cloudamqp/amqp-client'

/** What a person with rights on the broker can do. Each call has a connection of its own, since brokers are killed here. */
export interface BrokerOperator {
  /** Declares a durable queue that sees every event of the exchange, which is declared too. */
  observe(queue: string, exchange: string): Promise<void>
  /** Takes all messages out of a queue; nothing when there is no such queue. */
  drain(queue: string): Promise<readonly AMQPMessage[]>
  /** Messages ready in each queue; a queue that is not there has none. */
  depths(queues: readonly string[]): Promise<ReadonlyMap<string, number>>
  /** Declares the exchange and binds queues that are there. */
  bind(exchange: string, bindings: readonly { readonly queue: string; readonly type: string }[]): Promise<void>
  unbind(queue: string, exchange: string, routingKey: string): Promise<void>
  /** Resolves with how many messages were lost with it. */
  deleteQueue(queue: string): Promise<number>
  /** Resolves once nobody consumes it any more. */
  abandoned(queue: string): Promise<void>
  deleteExchange(exchange: string): Promise<void>
  /** Puts messages into a queue as they were. */
  putBack(queue: string, messages: readonly AMQPMessage[]): Promise<void>
}

const CONNECT_TRIES = 100
const ABANDON_TRIES = 250

/** An operator of the broker at this URL. */
export function createBrokerOperator(url: string): BrokerOperator {
  async function using<Result>(use: (channel: AMQPChannel) => Promise<Result>): Promise<Result> {
    const client = await connect(url)
    try {
      return await use(await client.channel())
    } finally {
      await client.close().catch(() => {})
    }
  }

  return {
    observe: (queue, exchange) =>
      using(async (channel) => {
        await channel.exchangeDeclare(exchange, 'topic', { durable: true })
        await channel.queueDeclare(queue, { durable: true, autoDelete: false, exclusive: false })
        await channel.queueBind(queue, exchange, '#')
      }),
    drain: (queue) =>
      using(async (channel) => {
        const messages: AMQPMessage[] = []
        for (;;) {
          const message = await channel.basicGet(queue, { noAck: true })
          if (!message) return messages
          messages.push(message)
        }
      }).catch((error) => {
        if (isMissing(error)) return []
        throw error
      }),
    depths: (queues) =>
      using(async (channel) => {
        const depths = new Map<string, number>()
        let asking = channel
        for (const queue of queues) {
          const count = await asking.queueDeclare(queue, { passive: true }).catch((error) => {
            if (isMissing(error)) return { messageCount: 0 }
            throw error
          })
          depths.set(queue, count.messageCount)
          // A queue that is missing closes the channel.
          if (asking.closed) asking = await channel.connection.channel()
        }
        return depths
      }),
    bind: (exchange, bindings) =>
      using(async (channel) => {
        await channel.exchangeDeclare(exchange, 'topic', { durable: true })
        for (const { queue, type } of bindings) await channel.queueBind(queue, exchange, type)
      }),
    unbind: (queue, exchange, routingKey) =>
      using(async (channel) => void (await channel.queueUnbind(queue, exchange, routingKey))),
    deleteQueue: (queue) => using(async (channel) => (await channel.queueDelete(queue)).messageCount),
    abandoned: (queue) =>
      using(async (channel) => {
        for (let tries = 0; tries < ABANDON_TRIES; tries++) {
          if ((await channel.queueDeclare(queue, { passive: true })).consumerCount === 0) return
          await Bun.sleep(20)
        }
        throw new Error(`The queue ${queue} still has a consumer`)
      }),
    deleteExchange: (exchange) => using(async (channel) => void (await channel.exchangeDelete(exchange))),
    putBack: (queue, messages) =>
      using(async (channel) => {
        await channel.confirmSelect()
        for (const { properties, body } of messages) await channel.basicPublish('', queue, body, properties, true)
      }),
  }
}

async function connect(url: string): Promise<AMQPClient> {
  for (let tries = 1; ; tries++) {
    const client = new AMQPClient(url)
    client.onerror = () => {}
    try {
      await client.connect()
      return client
    } catch (error) {
      if (tries === CONNECT_TRIES) throw error
      await Bun.sleep(100)
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && /NOT_FOUND|\(404\)|404/.test(error.message)
}
