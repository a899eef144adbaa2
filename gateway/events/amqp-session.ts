import type { AMQPChannel } from '@cloudamqp/amqp-client'
import type { Clock } from '../core/clock.ts'
import type { EventAddress } from '../core/events.ts'
import type { AmqpConnection } from './amqp-connection.ts'
import type { AmqpMessage } from './cloud-event.ts'

/** Publishing on one connection: channels are opened, and opened again, as they are needed. */
export interface AmqpSession {
  /** Resolves with what the broker did; rejects when nobody knows, in time or for ever. */
  publish(message: AmqpMessage, address: EventAddress): Promise<'confirmed' | 'returned'>
  /** Why the broker refuses an exchange, if it does. */
  readonly refusal: string | undefined
}

export interface AmqpSessionOptions {
  readonly connection: AmqpConnection
  readonly clock: Clock
  readonly confirmTimeoutMs: number
}

/** As many messages may be unconfirmed at once, those included whose confirmation nobody waits for any more. */
const MAX_UNCONFIRMED = 256
/** A refused declaration closes a channel, so it is not repeated for every event. */
const DECLARE_AGAIN_AFTER_MS = 1_000

/** Publishes with confirms, the `mandatory` flag and exchanges declared (topic, durable) before their first use. */
export function createAmqpSession({ connection, clock, confirmTimeoutMs }: AmqpSessionOptions): AmqpSession {
  const declared = new Map<string, Promise<void>>()
  const refusals = new Map<string, string>()
  let publishing: Promise<PublishChannel> | undefined
  let unconfirmed = 0

  function channelForPublishing(): Promise<PublishChannel> {
    publishing ??= openPublishChannel(connection).catch((error) => {
      publishing = undefined
      throw error
    })
    return publishing
  }

  /** Declares on a channel of its own: a refusal closes it, and with it would go what else is in flight there. */
  function declare(exchange: string): Promise<void> {
    const known = declared.get(exchange)
    if (known) return known
    const declaring = declareExchange(connection, exchange).then(
      () => {
        refusals.delete(exchange)
      },
      (error: Error) => {
        refusals.set(exchange, `exchange "${exchange}": ${error.message}`)
        clock.after(DECLARE_AGAIN_AFTER_MS, () => declared.delete(exchange))
        throw error
      },
    )
    declared.set(exchange, declaring)
    return declaring
  }

  async function send(message: AmqpMessage, { exchange, routingKey }: EventAddress): Promise<'confirmed' | 'returned'> {
    await declare(exchange)
    const channel = await channelForPublishing()
    const { messageId } = message.properties
    try {
      const mandatory = true
      await channel.raw.basicPublish(exchange, routingKey, message.body, message.properties, mandatory)
      // An unroutable message is returned first and acknowledged after.
      return channel.takeReturned(messageId) ? 'returned' : 'confirmed'
    } catch (error) {
      if (channel.raw.closed) forget(channel)
      throw error
    }
  }

  /** The broker closed the channel, e.g. with 404 because an exchange is gone: open another, declare again. */
  function forget(channel: PublishChannel): void {
    if (channel.isForgotten) return
    channel.isForgotten = true
    publishing = undefined
    declared.clear()
  }

  return {
    get refusal() {
      return refusals.values().next().value
    },

    publish(message, address) {
      if (unconfirmed >= MAX_UNCONFIRMED) {
        return Promise.reject(new Error(`${MAX_UNCONFIRMED} messages wait for the broker's confirmation already`))
      }
      unconfirmed++
      const sentAtMs = clock.now()
      const sending = send(message, address).finally(() => {
        unconfirmed--
      })
      return new Promise((resolve, reject) => {
        const cancel = clock.after(confirmTimeoutMs, () => {
          reject(new Error(`the broker did not confirm within ${confirmTimeoutMs} ms`))
          // It owed a heartbeat at least: the connection leads nowhere, whatever the socket says.
          if (connection.heardAtMs <= sentAtMs) connection.abandon('the broker has fallen silent')
        })
        sending.then(resolve, reject).finally(cancel)
      })
    },
  }
}

interface PublishChannel {
  readonly raw: AMQPChannel
  /** Whether a message of this id came back since the last time it was asked. */
  takeReturned(messageId: string): boolean
  isForgotten: boolean
}

async function openPublishChannel(connection: AmqpConnection): Promise<PublishChannel> {
  const raw = await connection.openChannel()
  /** How often, since one event may be on its way twice after a timeout. */
  const returned = new Map<string, number>()
  raw.onReturn = ({ properties: { messageId = '' } }) => {
    returned.set(messageId, (returned.get(messageId) ?? 0) + 1)
  }
  await raw.confirmSelect()
  return {
    raw,
    isForgotten: false,
    takeReturned(messageId) {
      const count = returned.get(messageId) ?? 0
      if (count > 1) returned.set(messageId, count - 1)
      else returned.delete(messageId)
      return count > 0
    },
  }
}

async function declareExchange(connection: AmqpConnection, exchange: string): Promise<void> {
  // The default exchange cannot be declared, and the names that begin with `amq.` are the broker's own.
  if (exchange === '') return
  const isReserved = exchange.startsWith('amq.')
  try {
    await declareOnce(connection, exchange, isReserved)
  } catch (error) {
    // Who may not configure exchanges may still publish to one that exists.
    if (isReserved || !(error instanceof Error && error.message.includes('(403)'))) throw error
    await declareOnce(connection, exchange, true)
  }
}

async function declareOnce(connection: AmqpConnection, exchange: string, passive: boolean): Promise<void> {
  const channel = await connection.openChannel()
  await channel.exchangeDeclare(exchange, 'topic', { durable: true, passive })
  await channel.close()
}
