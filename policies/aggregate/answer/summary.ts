import type { CompositionRecord, ExchangeRecord, PartRecord } from '../../../gateway/core/record.ts'
import type { Outcome } from '../outcome.ts'
import type { Composition } from '../run/plan.ts'
import { withoutAnyReply } from './answer.ts'
import { wordFor } from './status.ts'

/** Adds what became of a composition to what the log says of its request. */
export function note({ policies }: ExchangeRecord, facts: Partial<CompositionRecord>): void {
  const known = policies.aggregate
  policies.aggregate = known ? Object.assign(known, facts) : facts
}

/** What became of a composition, for the log. */
export function summaryOf({ outcomes, decider }: Composition): CompositionRecord {
  const failed = failedOf(outcomes)
  if (failed.length === 0) return { complete: true, failed }
  const decisive = decider ?? withoutAnyReply(outcomes)
  return { complete: false, failed, ...(decisive ? { decidedBy: decisive.part } : {}) }
}

/** What was known when an exchange ended without an answer of ours. */
export function unfinished(outcomes: readonly Outcome[]): CompositionRecord {
  return { complete: false, failed: failedOf(outcomes) }
}

function failedOf(outcomes: readonly Outcome[]): PartRecord[] {
  const failed: PartRecord[] = []
  for (const outcome of outcomes) {
    if (outcome.kind === 'ok' || outcome.kind === 'skipped') continue
    const { reason, status, cause } = outcome.failure
    failed.push({
      part: outcome.part,
      outcome: wordFor(outcome),
      error: reason,
      ...(status === undefined ? {} : { status }),
      ...(cause === undefined ? {} : { cause }),
    })
  }
  return failed
}
