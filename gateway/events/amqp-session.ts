import type { AMQPChannel } from '@cloudamqp/amqp-client'
import type { Clock } from '../core/clock.ts'
import type { EventAddress } from '../core/events.ts'
import type { Logger } from '../core/telemetry.ts'
import type { Topology } from '../core/topology.ts'
import type { AmqpConnection } from './amqp-connection.ts'
import { declareTopology } from './amqp-topology.ts'
import type { AmqpMessage } from './cloud-event.ts'
import { declareExchange } from './declare-exchange.ts'

/** Publishing on one connection: channels are opened, and opened again, as they are needed. */
export interface AmqpSession {
  /** Resolves with what the broker did; rejects when nobody knows, in time or for ever. */
  publish(message: AmqpMessage, address: EventAddress, mayStill?: () => boolean): Promise<'confirmed' | 'returned'>
  /** Resolves when everything was declared, or refused. */
  readonly declared: Promise<void>
  /** What the broker refuses, if anything. */
  readonly refusal: string | undefined
}

export interface AmqpSessionOptions {
  readonly connection: AmqpConnection
  readonly clock: Clock
  readonly log: Logger
  readonly confirmTimeoutMs: number
  /** What the broker must have before anything is published. */
  readonly topology: Topology
}

/** As many messages may be unconfirmed at once, those included whose confirmation nobody waits for any more. */
const MAX_UNCONFIRMED = 256
/** A refused declaration closes a channel, so it is not repeated for every event. */
const DECLARE_AGAIN_AFTER_MS = 1_000

/**
 * Publishes with confirms and the `mandatory` flag, once the topology is declared. An exchange it does not name is
 * declared (topic, durable) before its first use.
 */
export function createAmqpSession(options: AmqpSessionOptions): AmqpSession {
  const { connection, clock, confirmTimeoutMs } = options
  const topology = declareTopology(options)
  const others = new Set(options.topology.flatMap((it) => (it.kind === 'exchange' && it.isOthers ? [it.name] : [])))
  const declared = new Map<string, Promise<void>>()
  const refusals = new Map<string, string>()
  let publishing: Promise<PublishChannel> | undefined
  let unconfirmed = 0

  function channelForPublishing(): Promise<PublishChannel> {
    publishing ??= connection.awaitAnswer(openPublishChannel(connection)).catch((error) => {
      publishing = undefined
      throw error
    })
    return publishing
  }

  /** Declares on a channel of its own: a refusal closes it, and with it would go what else is in flight there. */
  function declare(exchange: string): Promise<void> {
    const known = declared.get(exchange)
    if (known) return known
    const declaring = connection.awaitAnswer(declareExchange(connection, exchange, others.has(exchange))).then(
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

  async function send(
    message: AmqpMessage,
    { exchange, routingKey }: EventAddress,
    mayStill: () => boolean,
  ): Promise<'confirmed' | 'returned'> {
    await topology.admit({ exchange, routingKey })
    await declare(exchange)
    const channel = await channelForPublishing()
    if (!mayStill())
      throw new Error('it was not sent: it was given up meanwhile, or became the task of another process')
    const { messageId } = message.properties
    try {
      const mandatory = true
      await channel.raw.basicPublish(exchange, routingKey, message.body, message.properties, mandatory)
      // An unroutable message is returned first and acknowledged after.
      if (!channel.takeReturned(messageId)) return 'confirmed'
      topology.returned({ exchange, routingKey })
      return 'returned'
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
    topology.renew()
  }

  return {
    get refusal() {
      return topology.refusal ?? refusals.values().next().value
    },

    declared: topology.declared,

    publish(message, address, mayStill = () => true) {
      if (unconfirmed >= MAX_UNCONFIRMED) {
        return Promise.reject(new Error(`${MAX_UNCONFIRMED} messages wait for the broker's confirmation already`))
      }
      unconfirmed++
      const sentAtMs = clock.monotonic()
      let isGivenUp = false
      const sending = send(message, address, () => !isGivenUp && mayStill()).finally(() => {
        unconfirmed--
      })
      return new Promise((resolve, reject) => {
        const cancel = clock.after(confirmTimeoutMs, () => {
          isGivenUp = true
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
