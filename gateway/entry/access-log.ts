import type { Exchange } from '../core/exchange.ts'
import type { CallRecord, ExchangeRecord } from '../core/record.ts'
import type { Logger, Metrics } from '../core/telemetry.ts'

/** What is known about a request that has been answered, with a route or without. */
export interface Answered {
  readonly request: Request
  readonly id: string
  readonly status: number
  readonly durationMs: number
  readonly clientIp: string | undefined
  /** Undefined when the target was refused; the raw one is not logged, it may hold anything. */
  readonly path: string | undefined
  readonly exchange: Exchange | undefined
  readonly record: ExchangeRecord
}

const MAX_TEXT = 256

/** Writes one line and counts one request. The query is left out: it may hold keys and tokens. */
export function recordAnswer(answered: Answered, log: Logger, metrics: Metrics): void {
  const { request, exchange, status, durationMs, record } = answered
  const route = exchange?.route ?? ''
  metrics.count('sluice_requests_total', { route, method: labelOf(request.method), status: String(status) })
  metrics.observe('sluice_request_duration_seconds', durationMs / 1_000, { route })
  log.info('request', {
    id: answered.id,
    route: exchange?.route,
    method: cut(request.method),
    path: answered.path === undefined ? undefined : cut(answered.path),
    status,
    durationMs,
    client: answered.clientIp,
    caller: exchange?.scope.clientId,
    trace: exchange?.trace.traceparent.slice(3, 35),
    userAgent: cut(request.headers.get('user-agent') ?? ''),
    failure: record.failure,
    cause: record.cause,
    policies: isEmpty(record.policies) ? undefined : record.policies,
    calls: record.calls.length === 0 ? undefined : record.calls,
  })
}

const KNOWN_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/** A client must not be able to make labels without end. */
function labelOf(method: string): string {
  return KNOWN_METHODS.has(method) ? method : 'other'
}

function cut(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text
}

function isEmpty(facts: Readonly<Record<string, unknown>>): boolean {
  for (const _ in facts) return false
  return true
}

/** RFC Server-Timing for a trusted caller that asks: the whole, then every call. */
export function serverTiming(durationMs: number, calls: readonly CallRecord[]): string {
  const parts = calls.map((call) => `${call.part ?? call.upstream};dur=${call.durationMs ?? 0}`)
  return [`total;dur=${durationMs}`, ...parts].join(', ')
}
