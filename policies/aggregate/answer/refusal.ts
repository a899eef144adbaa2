import { GatewayError } from '../../../gateway/core/errors.ts'
import type { Failed, Outcome } from '../outcome.ts'
import { compositionFields } from './status.ts'

/** The problem that stands for the whole answer because of one part, with every failed part and its cause. */
export function refusal({ part, failure }: Failed, outcomes: readonly Outcome[]): GatewayError {
  const {
    code,
    reason,
    status,
    detail = status === undefined ? reason : `its upstream answered ${status}`,
    retryAfter,
  } = failure
  return new GatewayError(code, {
    ...(code === 'upstream-refused' && status !== undefined ? { status } : {}),
    detail: `The part "${part}" failed: ${detail}`,
    headers: { ...compositionFields(outcomes), ...(retryAfter === undefined ? {} : { 'retry-after': retryAfter }) },
    extensions: { parts: outcomes.flatMap(toMember) },
  })
}

function toMember(outcome: Outcome): readonly object[] {
  if (outcome.kind === 'ok' || outcome.kind === 'skipped' || outcome.failure.reason === 'cancelled') return []
  const { reason, status } = outcome.failure
  return [{ name: outcome.part, error: reason, ...(status === undefined ? {} : { status }) }]
}
