import type { CallBody } from '../core/body.ts'
import type { Call, Exchange } from '../core/exchange.ts'
import { type CallRecord, createCallRecord } from '../core/record.ts'
import type { FieldList, UpstreamRequest } from '../core/services.ts'
import { type StopSource, stopBy } from '../core/stop.ts'
import { addGatewayFields } from './fields.ts'
import { fieldsOfOwnCall, linesOfOwnCall } from './own-call-fields.ts'

/**
 * One call on its way through the policies of its upstream. The fields of a call that an exchange makes by itself become
 * `Headers` when a policy looks at them; most go out as lines that were put together once. Plain members instead of
 * private ones: policies see it through `Object.create`, which private ones do not survive.
 */
export class UpstreamCall implements Call {
  readonly exchange: Exchange
  readonly upstream: string
  readonly method: string
  readonly path: string
  readonly body: CallBody
  readonly version: string | undefined
  readonly websocket: boolean
  readonly record: CallRecord
  /** When it began, in milliseconds since the epoch. */
  startedAtMs = 0
  stop: StopSource
  /** What the call says itself, in the words of whoever makes it. */
  readonly own: FieldList
  seen: Headers | undefined

  constructor(upstream: string, exchange: Exchange, request: UpstreamRequest, version: string | undefined) {
    const { headers = [] } = request
    this.exchange = exchange
    this.upstream = upstream
    this.method = request.method
    this.path = request.path
    this.body = request.body ?? null
    this.stop = request.stop ?? (request.signal ? stopBy(request.signal) : stopOf(exchange))
    this.version = version
    this.websocket = request.websocket ?? false
    this.record = request.record ?? createCallRecord(upstream, request.part)
    if (headers instanceof Headers) {
      addGatewayFields(headers, exchange)
      this.own = []
      this.seen = headers
    } else {
      this.own = headers
      this.seen = undefined
    }
  }

  get signal(): AbortSignal {
    return this.stop.signal
  }

  /** A policy ends it by another one. */
  set signal(signal: AbortSignal) {
    this.stop = stopBy(signal)
  }

  get headers(): Headers {
    this.seen ??= fieldsOfOwnCall(this.own, this.exchange)
    return this.seen
  }

  /** A policy sends other ones. */
  set headers(headers: Headers) {
    this.seen = headers
  }

  /** The fields as lines; undefined when somebody has looked at them, and may have changed them. */
  get fieldLines(): string | undefined {
    return this.seen === undefined ? linesOfOwnCall(this.own, this.exchange) : undefined
  }
}

/** A policy may have defined the signal of an exchange it derived, of which no setter is told. */
function stopOf(exchange: Exchange): StopSource {
  return Object.hasOwn(exchange, 'signal') ? stopBy(exchange.signal) : exchange.stop
}
