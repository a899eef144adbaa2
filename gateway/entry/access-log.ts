import type { CallRecord } from '../core/record.ts'
import type { Logger, Metrics } from '../core/telemetry.ts'
import type { Visit } from './visit.ts'

/** Tells what became of a request: the status the client gets, and the time until its answer began. */
export type RecordAnswer = (visit: Visit, status: number, durationMs: number) => void

const MAX_TEXT = 256

/** Writes one line and counts one request. The query is left out: it may hold keys and tokens. */
export function createAccessLog(log: Logger, metrics: Metrics): RecordAnswer {
  return (visit, status, durationMs) => {
    const { request, exchange, path, calls } = visit
    const route = exchange?.route ?? ''
    metrics.count('sluice_requests_total', { route, method: labelOf(request.method), status: String(status) })
    metrics.observe('sluice_request_duration_seconds', durationMs / 1_000, { route })
    log.info('request', {
      id: visit.id,
      route: exchange?.route,
      method: cut(request.method),
      // A refused target is not shown: it may hold anything.
      path: path === undefined ? undefined : cut(path),
      status,
      durationMs,
      client: visit.client.ip,
      caller: exchange?.scope.clientId,
      trace: exchange?.trace.traceparent.slice(3, 35),
      userAgent: cut(visit.userAgent ?? ''),
      failure: exchange ? exchange.record.failure : visit.failure,
      cause: exchange?.record.cause,
      policies: exchange === undefined || isEmpty(exchange.record.policies) ? undefined : exchange.record.policies,
      calls: calls.length === 0 ? undefined : calls,
    })
  }
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
  const parts = calls.map(({ part, upstream, purpose, durationMs: callMs = 0 }) => {
    return `${part ?? upstream}${purpose === undefined ? '' : `;desc=${purpose}`};dur=${callMs}`
  })
  return [`total;dur=${durationMs}`, ...parts].join(', ')
}
