import type { CallBody } from './body.ts'
import type { Breakers } from './breaker.ts'
import type { Clock } from './clock.ts'
import type { EventBus } from './events.ts'
import type { Exchange } from './exchange.ts'
import type { Journal } from './journal.ts'
import type { Limiters } from './limiter.ts'
import type { Receiver } from './receiver.ts'
import type { CallRecord } from './record.ts'
import type { StopSource } from './stop.ts'
import type { Store } from './store.ts'
import type { Logger, Metrics } from './telemetry.ts'

/** Everything a policy can reach. What it destructures from here is the list of its powers. */
export interface Services {
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Unguessable identifiers. */
  readonly createId: () => string
  /** For a policy's own needs (key sets, say). Upstreams are reached through `upstreams` or `next`. */
  readonly fetch: (url: string, init?: RequestInit) => Promise<Response>
  readonly keep: Keep
  /** Calls to upstreams one request may have open at once; Infinity where the runtime sets no bound. */
  readonly openCalls: number
  /** SHA-256, at once where the runtime can: Web Crypto takes a detour over another thread that costs more than the hash. */
  readonly sha256: Sha256
  readonly store: Store
  readonly limiters: Limiters
  readonly breakers: Breakers
  readonly events: EventBus
  readonly journal: Journal
  readonly upstreams: Upstreams
  readonly log: Logger
  readonly metrics: Metrics
}

export type Sha256 = (bytes: Uint8Array<ArrayBuffer>) => Uint8Array | Promise<Uint8Array>

/**
 * Gives what was made under this name before, else makes it. For data that is expensive to lose, such as fetched keys:
 * it outlives a reload, and mounts that name the same thing share it. The name must hold everything `make` depends on.
 */
export type Keep = <Thing extends object>(name: string, make: () => Thing) => Thing

/** What an upstream policy can reach: everything but other upstreams. */
export type UpstreamServices = Omit<Services, 'upstreams'>

/** A call as a policy words it; everything else is the gateway's to add. */
export interface UpstreamRequest {
  readonly method: string
  /** Path and query, encoded. */
  readonly path: string
  /** End-to-end fields; the gateway adds its own (forwarding, trace, identity). Names of a list are in lower case. */
  readonly headers?: Headers | FieldList
  readonly body?: CallBody
  /** Ends the call. Default: the exchange's. */
  readonly signal?: AbortSignal
  /** Ends the call in place of a signal. */
  readonly stop?: StopSource
  readonly websocket?: boolean
  /** Name shown in the log, e.g. the part of an aggregate. */
  readonly part?: string
  /** Where it is noted what comes of the call; a record of the exchange's own when left out. */
  readonly record?: CallRecord | undefined
}

/** Header fields by name and value, each name once. */
export type FieldList = readonly (readonly [name: string, value: string])[]

export type UpstreamHandler = (exchange: Exchange, request: UpstreamRequest) => Promise<Response>

/** For who reads replies and passes none on: most come without a `Response` or a promise having been made. */
export type UpstreamReader = (exchange: Exchange, request: UpstreamRequest, receiver: Receiver) => void

export interface Upstreams {
  /** The upstream's pipeline, its policies included. Only at load; names were checked by then. */
  get(name: string): UpstreamHandler
  /** The same pipeline, for reading. */
  reader(name: string): UpstreamReader
}
