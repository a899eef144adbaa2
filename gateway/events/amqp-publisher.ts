import { type Clock, sleep } from '../core/clock.ts'
import type { Logger } from '../core/telemetry.ts'
import type { Topology } from '../core/topology.ts'
import { type AmqpConnection, connectAmqp, parseBrokerUrl } from './amqp-connection.ts'
import { type AmqpSession, createAmqpSession } from './amqp-session.ts'
import { type Backoff, backoffMs } from './backoff.ts'
import { toAmqpMessage } from './cloud-event.ts'
import type { Publisher, PublisherState } from './publisher.ts'

export interface AmqpPublisherOptions {
  /** `amqp://user:password@host:port/vhost` or `amqps://…`. */
  readonly url: string
  readonly clock: Clock
  /** Uniform in [0, 1); spreads the attempts to connect. */
  readonly random: () => number
  readonly log: Logger
  /** Declared after each connection, before anything is published; nothing when left out. */
  readonly topology?: Topology
  /** How long a connection may take to be made, in milliseconds, default 5,000. */
  readonly connectTimeoutMs?: number
  /** How long to wait for the broker's confirmation, in milliseconds, default 5,000. */
  readonly confirmTimeoutMs?: number
}

const RECONNECT: Backoff = { baseMs: 25, maxMs: 5_000 }
/** A connection that lasted this long was a good one: the next failure is the first again. */
const GOOD_CONNECTION_MS = 1_000

/**
 * Publishes to an AMQP 0-9-1 broker and keeps itself connected, from its creation until it is closed. A broker that
 * is away is no error, only a state. Throws a `TypeError` for a URL that is none.
 */
export function createAmqpPublisher(options: AmqpPublisherOptions): Publisher {
  const { clock, random, log, topology = [], connectTimeoutMs = 5_000, confirmTimeoutMs = 5_000 } = options
  const url = parseBrokerUrl(options.url)
  const broker = `${url.protocol}//${url.host}${url.pathname}`
  const listeners = new Set<() => void>()
  const closing = new AbortController()
  let state: PublisherState = { name: 'connecting' }
  let connection: AmqpConnection | undefined
  let session: AmqpSession | undefined

  function become(next: PublisherState): void {
    if (closing.signal.aborted) return
    state = next
    if (next.name === 'ready') for (const listener of listeners) listener()
  }

  /** Resolves with the reason why the connection ended; rejects when it could not be made. */
  async function connectOnce(): Promise<string> {
    const current = await connectAmqp({
      url,
      clock,
      connectTimeoutMs,
      onBlocked(reason) {
        log.warn('The broker asks to pause publishing', { broker, reason })
        become({ name: 'blocked', reason })
      },
      onUnblocked() {
        log.info('The broker takes messages again', { broker })
        become(session ? { name: 'ready' } : { name: 'connecting' })
      },
    })
    connection = current
    if (closing.signal.aborted) await current.close()
    try {
      const opened = createAmqpSession({ connection: current, clock, log, confirmTimeoutMs, topology })
      await opened.declared
      session = opened
      log.info('Connected to the broker', { broker })
      if (state.name !== 'blocked') become({ name: 'ready' })
      return await current.ended
    } finally {
      connection = undefined
      session = undefined
    }
  }

  async function stayConnected(): Promise<void> {
    for (let failures = 0; !closing.signal.aborted; ) {
      const startedAtMs = clock.monotonic()
      const reason = await connectOnce().catch((error: Error) => error.message)
      if (closing.signal.aborted) return
      failures = clock.monotonic() - startedAtMs < GOOD_CONNECTION_MS || state.name === 'away' ? failures + 1 : 1
      if (state.name !== 'away' || state.reason !== reason) log.warn('The broker is away', { broker, reason })
      become({ name: 'away', reason })
      await sleep(clock, backoffMs(RECONNECT, failures, random), closing.signal).catch(() => {})
    }
  }

  const connected = stayConnected()

  return {
    get state() {
      const refusal = session?.refusal
      return state.name === 'ready' && refusal !== undefined ? { ...state, refusal } : state
    },

    async publish(event, address, mayStill) {
      const message = toAmqpMessage(event, address)
      if (!session || state.name !== 'ready') throw new Error(`Cannot publish: the broker is ${describe(state)}`)
      return await session.publish(message, address, mayStill)
    },

    onReady(listener) {
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },

    async close() {
      state = { name: 'closed' }
      closing.abort()
      await connection?.close()
      await connected
    },
  }
}

function describe(state: PublisherState): string {
  return 'reason' in state ? `${state.name} (${state.reason})` : state.name
}
