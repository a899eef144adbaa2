import { type AMQPChannel, AMQPClient, type AMQPMessage } from '@cloudamqp/amqp-client'
import { type Log, reasonOf } from '../service/log.ts'
import { sleep } from '../service/sleep.ts'
import { PoisonEvent, type ShopEvent, type Subscription } from './broker.ts'
import { fromMessage, toProperties } from './cloud-event.ts'

const PREFETCH = 10
const OPEN_TIMEOUT_MS = 10_000
const CONFIRM_TIMEOUT_MS = 10_000
const CLOSE_TIMEOUT_MS = 2_000
const RETRY_AFTER_MS = 1_000

/** One live connection: it is used until `lost` resolves, then thrown away. */
export interface AmqpLine {
  publish(event: ShopEvent): Promise<void>
  /** Declares the queues and takes events from them; call it once, when `publish` may be used by their handlers. */
  consume(): Promise<void>
  close(): Promise<void>
  /** Resolves with the reason when the connection or one of its channels is gone. */
  readonly lost: Promise<string>
}

/** What a line needs; `stopping` cuts short the wait before a failed event is given back. */
export interface LineOptions {
  readonly url: string
  readonly name: string
  readonly exchange: string
  readonly subscriptions: readonly Subscription[]
  readonly log: Log
  readonly stopping: AbortSignal
}

type Lose = (reason: string) => void

/** Connects and declares the exchange; throws when it fails or takes over 10 s. */
export async function openLine(options: LineOptions): Promise<AmqpLine> {
  const client = new AMQPClient(options.url)
  client.name = `shop.${options.name}`
  const { promise: lost, resolve: lose } = Promise.withResolvers<string>()
  client.onerror = (error) => lose(error.message)
  client.ondisconnect = (error) => lose(error?.message ?? 'the connection was closed')
  try {
    const publish = await within(OPEN_TIMEOUT_MS, connect(client, options), 'The broker did not answer', options)
    const takeEvents = async () => consume(await client.channel(), options, lose)
    let closing: Promise<void> | undefined
    return {
      lost,
      publish,
      consume: () => within(OPEN_TIMEOUT_MS, takeEvents(), 'The broker did not set up the queues', options),
      close() {
        closing ??= close(client, lose)
        return closing
      },
    }
  } catch (error) {
    await close(client, lose)
    throw error
  }
}

async function connect(client: AMQPClient, options: LineOptions): Promise<AmqpLine['publish']> {
  await client.connect()
  const publishing = await client.channel()
  await publishing.exchangeDeclare(options.exchange, 'topic', { durable: true })
  await publishing.confirmSelect()
  return createPublish(publishing, options)
}

function createPublish(channel: AMQPChannel, options: LineOptions): AmqpLine['publish'] {
  // The broker returns what it cannot route and then confirms it all the same, so both have to be watched.
  const returned = new Set<string>()
  channel.onReturn = ({ properties }) => void returned.add(properties.messageId ?? '')
  return async (event) => {
    const body = JSON.stringify(event.data)
    const confirmed = channel.basicPublish(options.exchange, event.type, body, toProperties(event), true)
    await within(CONFIRM_TIMEOUT_MS, confirmed, `The broker did not confirm ${event.type} ${event.id}`, options)
    if (returned.delete(event.id)) throw new Error(`No queue takes ${event.type} yet: start the service that does`)
  }
}

async function consume(channel: AMQPChannel, options: LineOptions, lose: Lose): Promise<void> {
  await channel.basicQos(PREFETCH)
  for (const subscription of options.subscriptions) {
    const { queue, type } = subscription
    await channel.queueDeclare(queue, { durable: true, autoDelete: false, exclusive: false })
    await channel.queueBind(queue, options.exchange, type)
    const consumer = await channel.basicConsume(queue, { noAck: false }, (message) =>
      receive(message, subscription, options),
    )
    // A broker may cancel a consumer and keep the connection, e.g. when somebody deletes the queue.
    void consumer.wait().catch((error) => lose(reasonOf(error)))
  }
}

async function receive(message: AMQPMessage, { queue, handle }: Subscription, options: LineOptions): Promise<void> {
  try {
    await handle(fromMessage(message.properties, message.body))
  } catch (error) {
    const poison = error instanceof PoisonEvent
    const facts = { service: options.name, queue, messageId: message.properties.messageId, reason: reasonOf(error) }
    options.log.warn(poison ? 'Dropped a poison message' : 'Could not handle an event, will try again', facts)
    if (!poison) await sleep(RETRY_AFTER_MS, options.stopping)
    return settle(() => message.nack(!poison))
  }
  await settle(() => message.ack())
}

/** A settlement that cannot be sent means the channel is gone; the broker then delivers the message again. */
async function settle(send: () => Promise<void>): Promise<void> {
  await send().catch(() => {})
}

async function close(client: AMQPClient, lose: Lose): Promise<void> {
  lose('closed by the service')
  const { socket } = client
  if (!client.closed) await Promise.race([client.close().catch(() => {}), Bun.sleep(CLOSE_TIMEOUT_MS)])
  socket?.destroy()
}

async function within<T>(limitMs: number, work: Promise<T>, complaint: string, { stopping }: LineOptions): Promise<T> {
  const done = new AbortController()
  const late = sleep(limitMs, AbortSignal.any([done.signal, stopping])).then(() => {
    if (done.signal.aborted) return work
    throw new Error(`${complaint} within ${limitMs} ms`)
  })
  return Promise.race([work, late]).finally(() => done.abort())
}
