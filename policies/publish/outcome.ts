import { ClientGone, GatewayError } from '../../gateway/core/errors.ts'
import type { CallRecord, ExchangeRecord } from '../../gateway/core/record.ts'

/** What became of the request as far as the event is concerned. */
export type Outcome =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'rejected' }
  | { readonly kind: 'unknown'; readonly reason: string }

/**
 * Judges an answer. A failure of the gateway arrives as a problem response too, so the record tells them apart. Only
 * the refusal of a single attempt is sure: an attempt before it may have been accepted and its answer lost.
 */
export function judge(status: number, { failure, calls }: ExchangeRecord): Outcome {
  if (failure !== undefined) return outcomeOfCode(failure, calls)
  if (status >= 200 && status < 300) return { kind: 'accepted' }
  if (status >= 400 && status < 500 && sentAttempts(calls) <= 1) return { kind: 'rejected' }
  return { kind: 'unknown', reason: `status ${status}` }
}

/** Judges what was thrown instead of an answer. */
export function outcomeOfFailure(error: unknown, calls: readonly CallRecord[]): Outcome {
  if (error instanceof GatewayError) return outcomeOfCode(error.code, calls)
  return outcomeOfCode(error instanceof ClientGone ? 'client-gone' : 'internal-error', calls)
}

/**
 * When nothing was sent at all (circuit open, rate limit, bulkhead, connection refused), the upstream has surely not
 * accepted.
 */
function outcomeOfCode(code: string, calls: readonly CallRecord[]): Outcome {
  return sentAttempts(calls) === 0 ? { kind: 'rejected' } : { kind: 'unknown', reason: code }
}

function sentAttempts(calls: readonly CallRecord[]): number {
  return calls.reduce((sum, { attempts, unsent = 0 }) => sum + attempts - unsent, 0)
}
