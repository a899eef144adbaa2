import type { Clock } from '../core/clock.ts'
import type { EventAddress } from '../core/events.ts'
import type { Logger } from '../core/telemetry.ts'
import type { Topology } from '../core/topology.ts'
import type { AmqpConnection } from './amqp-connection.ts'
import { declareTopology } from './amqp-topology.ts'
import type { AmqpMessage } from './cloud-event.ts'
import { declareExchange } from './declare-exchange.ts'
import { addressKey } from './outbox.ts'
import { createPublishLane, type PublishLane, type Settled } from './publish-lane.ts'

/** Publishing on one connection: channels are opened, and opened again, as they are needed. */
export interface AmqpSession {
  /** Resolves with what the broker did; rejects when nobody knows, in time or for ever. */
  publish(message: AmqpMessage, address: EventAddress, mayStill?: () => boolean): Promise<Settled>
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

/** Channels of the connection that are left for declarations. */
const OTHER_CHANNELS = 16
const MAX_LANES = 200
/** A refused declaration closes a channel, so it is not repeated for every event. */
const DECLARE_AGAIN_AFTER_MS = 1_000

/**
 * Publishes once the topology is declared. An exchange it does not name is declared (topic, durable) before its first use.
 * Each exchange and routing key has a lane of its own, so that a queue that confirms nothing holds up no other.
 */
export function createAmqpSession(options: AmqpSessionOptions): AmqpSession {
  const { connection, clock, confirmTimeoutMs } = options
  const topology = declareTopology(options)
  const others = new Set(options.topology.flatMap((it) => (it.kind === 'exchange' && it.isOthers ? [it.name] : [])))
  const declared = new Map<string, Promise<void>>()
  const refusals = new Map<string, string>()
  const maxLanes = Math.max(1, Math.min(MAX_LANES, connection.maxChannels - OTHER_CHANNELS))
  /** By the key of their address, those last that were used last. */
  const lanes = new Map<string, PublishLane>()

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

  function createLane(address: EventAddress, room: Promise<void>): PublishLane {
    return createPublishLane({
      connection,
      clock,
      address,
      confirmTimeoutMs,
      async admit() {
        await topology.admit(address)
        await declare(address.exchange)
        await room
      },
      onReturned: () => topology.returned(address),
      onLost() {
        declared.clear()
        topology.renew()
      },
    })
  }

  function laneOf(address: EventAddress): PublishLane {
    const key = addressKey(address)
    const known = lanes.get(key)
    lanes.delete(key)
    const lane = known && !known.isClosed ? known : createLane(address, makeRoom())
    lanes.set(key, lane)
    return lane
  }

  /** Closes the lane that was idle for longest when there are as many as may be. Throws when none is idle. */
  function makeRoom(): Promise<void> {
    if (lanes.size < maxLanes) return Promise.resolve()
    const [key, idle] = [...lanes].find(([, { isIdle }]) => isIdle) ?? []
    if (key === undefined || !idle) {
      throw new Error(`the broker has yet to confirm what was sent to ${lanes.size} other exchanges and routing keys`)
    }
    lanes.delete(key)
    return idle.close()
  }

  return {
    get refusal() {
      return topology.refusal ?? refusals.values().next().value
    },

    declared: topology.declared,

    async publish(message, address, mayStill = () => true) {
      return await laneOf(address).publish(message, mayStill)
    },
  }
}
