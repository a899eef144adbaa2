import { PartFailure } from '../failure.ts'
import { type Outcome, shownOf } from '../outcome.ts'
import type { Part } from '../plan/part.ts'
import { fallBack } from './fall-back.ts'

/**
 * Adds what stands in the answer for a part, where that is not the reply as it came. A reply that cannot be brought into
 * shape is none, so that the part's fallback stands in. At once, unless the part has a transform.
 */
export function shapeOutcome(part: Part, outcome: Outcome): Outcome | Promise<Outcome> {
  const shown = shownOf(outcome)
  // The fixed fallback is written as it shall stand in the answer.
  if (!part.shape || !shown || shown === part.fallback || outcome.kind === 'failed' || outcome.kind === 'skipped') {
    return outcome
  }
  const fail = (error: unknown): Outcome => {
    if (error instanceof PartFailure) return fallBack(part, outcome.kind === 'fallback' ? outcome.failure : error)
    throw error
  }
  try {
    const shaped = part.shape(shown.json)
    if (shaped instanceof Promise) return shaped.then((json) => ({ ...outcome, shaped: json }), fail)
    return { ...outcome, shaped }
  } catch (error) {
    return fail(error)
  }
}
