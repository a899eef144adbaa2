import { createIncomingBody, type IncomingBody } from '../core/body.ts'
import type { Client, Exchange, HeaderEdits, Trace, Tunnel } from '../core/exchange.ts'
import { type Key, principal } from '../core/keys.ts'
import type { ExchangeRecord } from '../core/record.ts'
import { readCookie, type Scope } from '../core/scope.ts'
import { type StopSource, stopBy } from '../core/stop.ts'

/** What is known of a request once a route has been found; the rest of the exchange is made from it. */
export interface ExchangeParts
  extends Omit<Exchange, 'body' | 'outgoing' | 'record' | 'scope' | 'signal' | 'get' | 'set'> {
  readonly bodyLimit: number
  readonly now: () => number
}

/** Makes the exchange route policies work with. Whatever most requests do not need is made on first use. */
export function createExchange(parts: ExchangeParts): Exchange {
  return new ArrivedExchange(parts)
}

/** Plain fields instead of private ones: policies see it through `Object.create`, which private fields do not survive. */
class ArrivedExchange implements Exchange {
  readonly request: Request
  readonly id: string
  readonly route: string
  readonly path: string
  readonly search: string
  readonly params: Readonly<Record<string, string>>
  readonly client: Client
  readonly trace: Trace
  stop: StopSource
  readonly deadline: number
  readonly upgrade: ((tunnel: Tunnel) => void) | undefined
  readonly record: ExchangeRecord = { calls: [], policies: {} }
  readonly waitUntil: (work: Promise<unknown>) => void
  readonly body: IncomingBody
  readonly outgoing: HeaderEdits = new OutgoingEdits()
  readonly scope: Scope
  readonly values = new KeyedValues()

  constructor(parts: ExchangeParts) {
    this.request = parts.request
    this.id = parts.id
    this.route = parts.route
    this.path = parts.path
    this.search = parts.search
    this.params = parts.params
    this.client = parts.client
    this.trace = parts.trace
    this.stop = parts.stop
    this.deadline = parts.deadline
    this.upgrade = parts.upgrade
    this.waitUntil = parts.waitUntil
    this.body = createIncomingBody(parts.request, parts.bodyLimit, parts.now)
    this.scope = new ExchangeScope(this)
  }

  get signal(): AbortSignal {
    return this.stop.signal
  }

  /** A policy ends it by another one. */
  set signal(signal: AbortSignal) {
    this.stop = stopBy(signal)
  }

  get<T>(key: Key<T>): T | undefined {
    return this.values.get(key) as T | undefined
  }

  set<T>(key: Key<T>, value: T): void {
    this.values.set(key, value)
  }
}

/** Shared by the exchange and those that policies derive of it. They are few, and a map takes 400 bytes with the first. */
class KeyedValues {
  readonly keys: Key<unknown>[] = []
  readonly values: unknown[] = []

  get(key: Key<unknown>): unknown {
    return this.values[this.keys.indexOf(key)]
  }

  set(key: Key<unknown>, value: unknown): void {
    const at = this.keys.indexOf(key)
    if (at >= 0) this.values[at] = value
    else {
      this.keys.push(key)
      this.values.push(value)
    }
  }
}

class ExchangeScope implements Scope {
  readonly exchange: Exchange
  parsedQuery: URLSearchParams | undefined

  constructor(exchange: Exchange) {
    this.exchange = exchange
  }

  get params() {
    return this.exchange.params
  }

  query(name: string): string | undefined {
    this.parsedQuery ??= new URLSearchParams(this.exchange.search)
    return this.parsedQuery.get(name) ?? undefined
  }

  header(name: string): string | undefined {
    return this.exchange.request.headers.get(name) ?? undefined
  }

  cookie(name: string): string | undefined {
    return readCookie(this.exchange.request.headers.get('cookie'), name)
  }

  get claims() {
    return this.exchange.get(principal)?.claims
  }

  get clientIp() {
    return this.exchange.client.ip
  }

  get clientId() {
    return this.exchange.get(principal)?.id
  }

  get route() {
    return this.exchange.route
  }

  get body() {
    return this.exchange.body.parsed
  }
}

class OutgoingEdits implements HeaderEdits {
  version = 0
  edits: Map<string, string | undefined> | undefined

  set(name: string, value: string): void {
    this.put(name, value)
  }

  remove(name: string): void {
    this.put(name, undefined)
  }

  decides(name: string): boolean {
    return this.edits?.has(name) ?? false
  }

  applyTo(headers: Headers): void {
    if (!this.edits) return
    for (const [name, value] of this.edits) {
      if (value === undefined) headers.delete(name)
      else headers.set(name, value)
    }
  }

  put(name: string, value: string | undefined): void {
    this.edits ??= new Map()
    this.edits.set(name.toLowerCase(), value)
    this.version++
  }
}
