import { ClientGone, clientClosedRequest, GatewayError, toProblem } from '../core/errors.ts'
import type { Exchange } from '../core/exchange.ts'
import type { ExchangeRecord } from '../core/record.ts'
import type { Logger } from '../core/telemetry.ts'

/** Answers an exchange whose pipeline failed and notes why; what nobody expected is logged with its stack. */
export function answerFailure(error: unknown, exchange: Exchange, log: Logger): Response {
  const { record, id, route } = exchange
  record.failure = failureOf(error)
  if (!(error instanceof GatewayError || error instanceof ClientGone)) {
    log.error('unexpected error', { id, route, error: error instanceof Error ? error.stack : String(error) })
  }
  return answer(error, exchange)
}

/** The client left or the time was up before the pipeline noticed; its unfinished calls are logged as they will end. */
export function answerAbort(reason: unknown, exchange: Exchange): Response {
  const { record } = exchange
  record.failure = failureOf(reason)
  for (const call of record.calls) {
    // What undoes a write goes on without the client.
    if (call.durationMs === undefined && call.purpose === undefined) call.failure = record.failure
  }
  return answer(reason, exchange)
}

function failureOf(error: unknown): string {
  if (error instanceof GatewayError) return error.code
  return error instanceof ClientGone ? 'client-gone' : 'internal-error'
}

function answer(error: unknown, { id, record }: Exchange): Response {
  return error instanceof ClientGone ? clientClosedRequest() : toProblem(noteLate(error, record), id)
}

/** The error with what the client should know of a request that was not answered in time. */
function noteLate(error: unknown, { lateNote }: ExchangeRecord): unknown {
  if (lateNote === undefined || !(error instanceof GatewayError) || error.code !== 'upstream-timeout') return error
  const { code, headers, extensions, message, cause } = error
  return new GatewayError(code, { headers, extensions, cause, detail: `${message}. ${lateNote}` })
}
