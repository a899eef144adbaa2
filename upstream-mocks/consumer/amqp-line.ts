import type { AMQPChannel, AMQPMessage, AMQPProperties } from '@cloudamqp/amqp-client'
import { reasonOf } from './failures.ts'
import { GuardedClient } from './guarded-client.ts'
import { sleep } from './sleep.ts'
import { declareTopology, type Topology } from './topology.ts'

const OPEN_TIMEOUT_MS = 10_000
const CONFIRM_TIMEOUT_MS = 5_000
const CLOSE_TIMEOUT_MS = 2_000
const ASK_AGAIN_MS = 100

/** A message on its way to the broker. */
export interface OutgoingMessage {
  readonly exchange: string
  readonly routingKey: string
  readonly body: string | Uint8Array | null
  readonly properties: AMQPProperties
}

/** One live connection with everything declared: it is used until it is lost, then thrown away. */
export interface AmqpLine {
  /** Aborted when the connection or one of its channels is gone; its reason is a string. */
  readonly lost: AbortSignal
  /** Gives up on the connection. */
  lose(reason: string): void
  /** Waits while the broker is blocked. Rejects when the broker refuses, and when nobody knows: then the line is lost. */
  publish(message: OutgoingMessage): Promise<'confirmed' | 'returned'>
  /** Takes messages from a queue, at most `prefetch` of them unsettled. */
  consume(queue: string, prefetch: number, receive: (message: AMQPMessage) => void): Promise<void>
  /** Resolves when no message comes any more; those delivered can still be settled. */
  stopConsuming(): Promise<void>
  close(): Promise<void>
}

/** Where to connect; `stopping` cuts short every wait. */
export interface LineOptions {
  readonly url: string
  readonly name: string
  readonly topology: Topology
  readonly stopping: AbortSignal
}

/** Connects and declares everything; throws when it fails or takes over 10 s. */
export async function openLine({ url, name, topology, stopping }: LineOptions): Promise<AmqpLine> {
  const client = new GuardedClient(url, name)
  const ending = new AbortController()
  const lose = (reason: string) => {
    if (!ending.signal.aborted) ending.abort(reason)
  }
  client.onerror = ({ message }) => lose(message)
  client.ondisconnect = (error) => lose(error?.message ?? 'the connection was closed')
  const inTime = <T>(work: Promise<T>, complaint: string) => within(OPEN_TIMEOUT_MS, work, { complaint, stopping })
  const openChannel = async () => {
    const channel = await client.channel()
    channel.onerror = lose
    return channel
  }

  let isConnected = false
  async function connect() {
    await client.connectGuarded()
    isConnected = true
    const declaring = await client.channel()
    // A refused declaration closes this channel alone and is thrown; it is no news about the line.
    declaring.onerror = () => {}
    await declareTopology(declaring, topology)
    await declaring.close()
    const publishing = await openChannel()
    await publishing.confirmSelect()
    return { publish: createPublish(publishing, { lost: ending.signal, lose }), consuming: await openChannel() }
  }

  async function close(): Promise<void> {
    const isAlive = isConnected && !ending.signal.aborted
    lose('closed by the service')
    const { socket } = client
    // Nobody answers a goodbye on a connection that is broken.
    if (isAlive && !client.closed) await Promise.race([client.close().catch(() => {}), Bun.sleep(CLOSE_TIMEOUT_MS)])
    socket?.destroy()
  }

  try {
    const { publish, consuming } = await inTime(connect(), 'The broker did not answer')
    return {
      lost: ending.signal,
      lose,
      async publish(message) {
        while (client.blocked && !ending.signal.aborted) await sleep(ASK_AGAIN_MS, ending.signal)
        if (ending.signal.aborted) throw new Error('The connection to the broker is lost')
        return publish(message, () => client.blocked !== undefined)
      },
      async consume(queue, prefetch, receive) {
        await consuming.basicQos(prefetch)
        const consumer = await inTime(consuming.basicConsume(queue, { noAck: false }, receive), 'No consumer')
        // A broker may cancel a consumer and keep the connection, e.g. when somebody deletes the queue.
        void consumer.wait().catch((error) => lose(reasonOf(error)))
      },
      async stopConsuming() {
        const cancelling = [...consuming.consumers.values()].map((consumer) => consumer.cancel())
        await within(CLOSE_TIMEOUT_MS, Promise.all(cancelling), {
          complaint: 'No answer',
          stopping: ending.signal,
        }).catch(() => {})
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

type Publish = (message: OutgoingMessage, isBlocked: () => boolean) => Promise<'confirmed' | 'returned'>

function createPublish(channel: AMQPChannel, { lost, lose }: Pick<AmqpLine, 'lost' | 'lose'>): Publish {
  // The broker returns what it cannot route and then confirms it all the same, so both have to be watched.
  const returned = new Map<string, number>()
  const keyOf = (exchange: string, routingKey: string, id = '') => JSON.stringify([exchange, routingKey, id])
  channel.onReturn = ({ exchange, routingKey, properties }) => {
    const key = keyOf(exchange, routingKey, properties.messageId)
    returned.set(key, (returned.get(key) ?? 0) + 1)
  }
  function takeReturned(key: string): boolean {
    const count = returned.get(key) ?? 0
    if (count > 1) returned.set(key, count - 1)
    else returned.delete(key)
    return count > 0
  }

  return async ({ exchange, routingKey, body, properties }, isBlocked) => {
    const done = new AbortController()
    const confirmed = channel.basicPublish(exchange, routingKey, body, properties, true)
    void watch()
    try {
      // The client forgets what waits for a confirm when it is closed while its socket fails.
      await Promise.race([confirmed, failWhenLost(lost, done.signal)])
    } finally {
      done.abort()
    }
    return takeReturned(keyOf(exchange, routingKey, properties.messageId)) ? 'returned' : 'confirmed'

    /** Without a confirm nobody knows. A blocked broker confirms late, and connecting again would not hurry it. */
    async function watch(): Promise<void> {
      do await sleep(CONFIRM_TIMEOUT_MS, done.signal)
      while (isBlocked() && !done.signal.aborted)
      if (!done.signal.aborted) lose(`the broker did not confirm within ${CONFIRM_TIMEOUT_MS} ms`)
    }
  }
}

/** Rejects when the line is lost, unless it is over before. */
function failWhenLost(lost: AbortSignal, over: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const tell = () => reject(new Error('The connection to the broker is lost'))
    if (lost.aborted) tell()
    else lost.addEventListener('abort', tell, { once: true, signal: over })
  })
}

interface Bound {
  readonly complaint: string
  readonly stopping: AbortSignal
}

async function within<T>(limitMs: number, work: Promise<T>, { complaint, stopping }: Bound): Promise<T> {
  const done = new AbortController()
  const late = sleep(limitMs, AbortSignal.any([done.signal, stopping])).then(() => {
    if (done.signal.aborted) return work
    throw new Error(`${complaint} within ${limitMs} ms`)
  })
  return Promise.race([work, late]).finally(() => done.abort())
}
