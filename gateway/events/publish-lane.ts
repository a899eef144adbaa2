import type { AMQPChannel } from '@cloudamqp/amqp-client'
import type { Clock } from '../core/clock.ts'
import type { EventAddress } from '../core/events.ts'
import type { AmqpConnection } from './amqp-connection.ts'
import type { AmqpMessage } from './cloud-event.ts'

/** What the broker did with a message. */
export type Settled = 'confirmed' | 'returned'

/** Publishing to one exchange and routing key, on a channel of its own that is opened when it is first needed. */
export interface PublishLane {
  /** Resolves with what the broker did; rejects when nobody knows, in time or for ever, and when nothing was sent. */
  publish(message: AmqpMessage, mayStill: () => boolean): Promise<Settled>
  /** Whether nothing is under way, those included whose wait has ended. */
  readonly isIdle: boolean
  /** Whether it is of no use any more: make another. */
  readonly isClosed: boolean
  /** Closes the channel; what is under way rejects. Resolves when the broker has answered, or the connection is gone. */
  close(): Promise<void>
}

export interface PublishLaneOptions {
  readonly connection: AmqpConnection
  readonly clock: Clock
  readonly address: EventAddress
  readonly confirmTimeoutMs: number
  /** Resolves when something may be sent there; rejects when the broker refuses what would have to take it. */
  readonly admit: () => Promise<void>
  /** The broker had no queue for a message. */
  readonly onReturned: () => void
  /** The broker closed the channel, e.g. with 404 because the exchange is gone. */
  readonly onLost: () => void
}

/** As many messages may be under way at once, those included whose confirmation nobody waits for any more. */
const MAX_UNCONFIRMED = 256
/**
 * As many of them are on the wire; the others wait for a place. RabbitMQ withholds credit from a channel that waits for a
 * quorum queue and, once 200 to 400 further messages have come on it, reads nothing more from the whole connection.
 */
const MAX_ON_WIRE = 128
/** A broker owes every confirmation; one that has forgotten it must not hold back an event for ever. */
const REPLACE_AFTER_MS = 60_000
const NOT_CONFIRMED = 'the broker has yet to confirm what was sent there before'

/**
 * Publishes with confirms and the `mandatory` flag. Once the wait for a confirmation has ended, nothing further is sent
 * here until the broker has settled everything of which that is so, or 60 s have passed: then the channel is closed, and
 * another begins anew. What it settles meanwhile is the outcome of the next attempt at the same message.
 */
export function createPublishLane(options: PublishLaneOptions): PublishLane {
  const { connection, clock, address, confirmTimeoutMs, admit, onReturned, onLost } = options
  const late = new Map<string, Settled>()
  const onClose = new Set<(reason: Error) => void>()
  const waiting: (() => void)[] = []
  let opening: Promise<ConfirmChannel> | undefined
  let [underWay, onWire, overdue] = [0, 0, 0]
  let isClosed = false
  let cancelReplacement = () => {}

  function open(): Promise<ConfirmChannel> {
    opening ??= connection.awaitAnswer(openConfirmChannel(connection)).catch((error) => {
      opening = undefined
      throw error
    })
    return opening
  }

  async function send(message: AmqpMessage, mayStill: () => boolean): Promise<Settled> {
    await admit()
    if (onWire < MAX_ON_WIRE) onWire++
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      const channel = await open()
      if (isClosed) throw new Error('its channel was closed before it was sent')
      if (!mayStill())
        throw new Error('it was not sent: it was given up meanwhile, or became the task of another process')
      return await sendOn(channel, message)
    } finally {
      const next = waiting.shift()
      if (next) next()
      else onWire--
    }
  }

  async function sendOn({ raw, takeReturned }: ConfirmChannel, { body, properties }: AmqpMessage): Promise<Settled> {
    try {
      await untilClosed(raw.basicPublish(address.exchange, address.routingKey, body, properties, true))
    } catch (error) {
      if (raw.closed && !isClosed) {
        void close()
        onLost()
      }
      throw error
    }
    // An unroutable message is returned first and acknowledged after.
    if (!takeReturned(properties.messageId)) return 'confirmed'
    onReturned()
    return 'returned'
  }

  /** The client leaves what is unconfirmed on a channel it closes waiting for ever. */
  function untilClosed(work: Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      onClose.add(reject)
      work.then(resolve, reject).finally(() => onClose.delete(reject))
    })
  }

  function awaitLate(messageId: string, sending: Promise<Settled>): void {
    if (overdue === 0) cancelReplacement = clock.after(REPLACE_AFTER_MS, () => void close())
    overdue++
    const remember = (settled: Settled) => {
      late.set(messageId, settled)
      const [oldest] = late.keys()
      // Nobody asks for one that another process has delivered meanwhile.
      if (late.size > MAX_UNCONFIRMED && oldest !== undefined) late.delete(oldest)
    }
    sending
      .then(remember, () => {})
      .finally(() => {
        overdue--
        if (overdue === 0) cancelReplacement()
      })
  }

  /** A queue may be slow, and heartbeats are seldom: silence alone does not say that the connection leads nowhere. */
  function probeIfSilent(): void {
    if (clock.monotonic() - connection.heardAtMs >= confirmTimeoutMs) connection.probe()
  }

  async function close(): Promise<void> {
    isClosed = true
    cancelReplacement()
    for (const reject of onClose) reject(new Error('its channel was closed: the broker did not confirm in time'))
    const raw = await opening?.then((channel) => channel.raw).catch(() => undefined)
    if (raw && !raw.closed) await connection.awaitAnswer(raw.close()).catch(() => {})
  }

  return {
    get isIdle() {
      return underWay === 0
    },
    get isClosed() {
      return isClosed
    },

    publish(message, mayStill) {
      const { messageId } = message.properties
      const settled = late.get(messageId)
      if (settled !== undefined) {
        late.delete(messageId)
        return Promise.resolve(settled)
      }
      if (overdue > 0) {
        probeIfSilent()
        return Promise.reject(new Error(NOT_CONFIRMED))
      }
      if (underWay >= MAX_UNCONFIRMED) {
        return Promise.reject(new Error(`${MAX_UNCONFIRMED} messages wait for the broker's confirmation already`))
      }
      underWay++
      let isGivenUp = false
      let isSent = false
      const sending = send(message, () => {
        isSent = !isGivenUp && mayStill()
        return isSent
      }).finally(() => {
        underWay--
      })
      return new Promise((resolve, reject) => {
        const cancel = clock.after(confirmTimeoutMs, () => {
          isGivenUp = true
          reject(new Error(`the broker did not confirm within ${confirmTimeoutMs} ms`))
          if (isSent) awaitLate(messageId, sending)
          probeIfSilent()
        })
        sending.then(resolve, reject).finally(cancel)
      })
    },

    close,
  }
}

interface ConfirmChannel {
  readonly raw: AMQPChannel
  /** Whether a message of this id came back since the last time it was asked. */
  takeReturned(messageId: string): boolean
}

async function openConfirmChannel(connection: AmqpConnection): Promise<ConfirmChannel> {
  const raw = await connection.openChannel()
  /** How often, since one event may be on its way twice. */
  const returned = new Map<string, number>()
  raw.onReturn = ({ properties: { messageId = '' } }) => {
    returned.set(messageId, (returned.get(messageId) ?? 0) + 1)
  }
  await raw.confirmSelect()
  return {
    raw,
    takeReturned(messageId) {
      const count = returned.get(messageId) ?? 0
      if (count > 1) returned.set(messageId, count - 1)
      else returned.delete(messageId)
      return count > 0
    },
  }
}
