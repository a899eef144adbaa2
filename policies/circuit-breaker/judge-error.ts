import type { Outcome } from '../../gateway/core/breaker.ts'
import { type FailureCode, GatewayError } from '../../gateway/core/errors.ts'
import type { Call } from '../../gateway/core/exchange.ts'

const UPSTREAM_FAILURES: ReadonlySet<FailureCode> = new Set([
  'upstream-timeout',
  'upstream-unreachable',
  'upstream-invalid-response',
])

/** An upstream that had less time than this before a deadline from outside passed has shown nothing. */
const FAIR_CHANCE_MS = 100

/**
 * What a call that threw says about the upstream. A client that left, refusals by layers further in and mistakes of
 * our own are neutral. A deadline that passed outside the breaker counts only when the upstream alone was waited for:
 * it had a fair chance to answer, and no client was still sending the body.
 */
export function judgeError(
  error: unknown,
  { signal, body }: Pick<Call, 'signal' | 'body'>,
  elapsedMs: number,
): Outcome {
  if (!signal.aborted) return isUpstreamFailure(error) ? 'failure' : 'neutral'
  const timeUp = signal.reason instanceof GatewayError && signal.reason.code === 'upstream-timeout'
  const hadItsChance = elapsedMs >= FAIR_CHANCE_MS && !(body instanceof ReadableStream)
  return timeUp && hadItsChance ? 'failure' : 'neutral'
}

function isUpstreamFailure(error: unknown): boolean {
  return error instanceof GatewayError && UPSTREAM_FAILURES.has(error.code)
}
