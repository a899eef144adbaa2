import type { CallBody, IncomingBody } from './body.ts'
import type { Key } from './keys.ts'
import type { CallRecord, ExchangeRecord } from './record.ts'
import type { Scope } from './scope.ts'
import type { StopSource } from './stop.ts'

/** The client, as far as it can be known under the trust rule of the configuration. */
export interface Client {
  /** Its address: the peer's, or what a trusted proxy says. Undefined where the runtime knows none. */
  readonly ip: string | undefined
  /** Address of the socket's other end: the client's own, or the last proxy's. Undefined where the runtime knows none. */
  readonly peer?: string | undefined
  /** True when the peer is a trusted proxy, so that its forwarding fields and request id are believed. */
  readonly trusted: boolean
  readonly protocol: 'http' | 'https'
  readonly host: string
}

/** W3C Trace Context to send on: continued from the client, or started here. */
export interface Trace {
  readonly traceparent: string
  readonly tracestate: string | undefined
}

/** Header fields the gateway itself decides for every upstream call of this exchange, whatever the client sent. */
export interface HeaderEdits {
  /** 0 as long as nothing is decided, another number after every change. */
  readonly version: number
  /** Whether it sets or removes this field, named in lower case. */
  decides(name: string): boolean
  set(name: string, value: string): void
  remove(name: string): void
  applyTo(headers: Headers): void
}

/** One client request on its way through a route. Route policies receive it; they change it only through `next`. */
export interface Exchange {
  /** As the client sent it. Read the body through `body`, never from here. */
  readonly request: Request
  /** Request id: on the response, in the log, and the `instance` of problems. */
  readonly id: string
  /** Name of the route. */
  readonly route: string
  /** The normalised path the router matched, still percent-encoded; the same one is forwarded. */
  readonly path: string
  /** `?…` or empty. */
  readonly search: string
  /** Path parameters, percent-decoded once. `*` holds what a trailing wildcard matched. */
  readonly params: Readonly<Record<string, string>>
  readonly client: Client
  readonly trace: Trace
  readonly body: IncomingBody
  /** Aborts when the client leaves (`ClientGone`) or the deadline passes (`GatewayError` `upstream-timeout`). */
  readonly signal: AbortSignal
  /** The same, to listen to for less than a signal costs. */
  readonly stop: StopSource
  /** Milliseconds since the epoch at which the total deadline of the exchange passes; Infinity when there is none. */
  readonly deadline: number
  /** Values templates read. */
  readonly scope: Scope
  readonly outgoing: HeaderEdits
  /** The decisions taken, for the log. */
  readonly record: ExchangeRecord
  /** Accepts a WebSocket on behalf of the client; undefined where the runtime or the request cannot. */
  readonly upgrade: ((tunnel: Tunnel) => void) | undefined
  get<T>(key: Key<T>): T | undefined
  set<T>(key: Key<T>, value: T): void
  /** Keeps the runtime alive for work that may outlive the response. */
  waitUntil(work: Promise<unknown>): void
}

/** Receives what an open WebSocket says; codes and reasons as in RFC 6455 §7.4. */
export interface SocketListener {
  message(data: string | Uint8Array): void
  close(code: number, reason: string): void
}

/** One side of a WebSocket, open. What arrives before `attach` is kept and handed over then. */
export interface OpenSocket {
  /** The subprotocol both sides agreed on; empty for none. */
  readonly protocol: string
  send(data: string | Uint8Array): void
  close(code: number, reason: string): void
  attach(listener: SocketListener): void
}

/** An upstream's WebSocket that waits to be joined with the client's. */
export interface Tunnel {
  readonly upstream: OpenSocket
}

/** One call to one upstream on behalf of an exchange. Upstream policies receive it, around every single call. */
export interface Call {
  /** The client's request this call serves. */
  readonly exchange: Exchange
  readonly upstream: string
  readonly method: string
  /** Path and query, encoded, relative to the target's URL. */
  readonly path: string
  /** End-to-end fields to send; the forwarder adds its own. */
  readonly headers: Headers
  readonly body: CallBody
  readonly signal: AbortSignal
  /** The same, to listen to for less than a signal costs. */
  readonly stop: StopSource
  /** The version chosen by `gray-release`; undefined before the choice, or when the upstream has none. */
  readonly version: string | undefined
  /** True for a WebSocket handshake. */
  readonly websocket: boolean
  readonly record: CallRecord
}
