import type { Call } from '../../gateway/core/exchange.ts'

export interface Backoff {
  readonly firstMs: number
  readonly maximumMs: number
}

/**
 * How long to wait before the next attempt, in milliseconds: anything up to a bound that doubles with every attempt
 * ("full jitter"), but no less than the upstream asked for. Undefined when it asked for more than the maximum.
 */
export function waitBefore(
  attempt: number,
  { firstMs, maximumMs }: Backoff,
  { random, retryAfterMs }: { readonly random: () => number; readonly retryAfterMs: number },
): number | undefined {
  if (retryAfterMs > maximumMs) return undefined
  const boundMs = Math.min(firstMs * 2 ** (attempt - 1), maximumMs)
  return Math.max(retryAfterMs, Math.round(random() * boundMs))
}

/** `Retry-After` (RFC 9110 §10.2.3) in milliseconds from now; 0 when it is missing, past or malformed. */
export function readRetryAfter(headers: Headers, nowMs: number): number {
  const value = headers.get('retry-after')?.trim() ?? ''
  if (/^\d{1,10}$/.test(value)) return Number(value) * 1_000
  const dateMs = /^[A-Z][a-z]{2}, /.test(value) ? Date.parse(value) : Number.NaN
  return Number.isNaN(dateMs) ? 0 : Math.max(0, dateMs - nowMs)
}

/** True when the exchange will still be waited for after that pause. */
export function leavesTime({ exchange, signal }: Call, waitMs: number, nowMs: number): boolean {
  return !signal.aborted && nowMs + waitMs < exchange.deadline
}
