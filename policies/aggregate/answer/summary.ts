import type { CompositionRecord, PartRecord } from '../../../gateway/core/record.ts'
import type { Composition } from '../run/plan.ts'
import { withoutAnyReply } from './answer.ts'
import { wordFor } from './status.ts'

/** What became of a composition, for the log. */
export function summaryOf({ outcomes, decider }: Composition): CompositionRecord {
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
  if (failed.length === 0) return { complete: true, failed }
  const decisive = decider ?? withoutAnyReply(outcomes)
  return { complete: false, failed, ...(decisive ? { decidedBy: decisive.part } : {}) }
}
