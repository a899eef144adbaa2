import type { PartFailure } from '../failure.ts'
import type { Outcome } from '../outcome.ts'
import type { Part } from '../plan/part.ts'
import type { Remembered } from './memory.ts'

/** What becomes of a part without a reply: an old reply or its fixed fallback stands in, unless nobody needs it any more. */
export function fallBack({ name, fallback }: Part, failure: PartFailure, stale?: Remembered): Outcome {
  if (failure.reason === 'cancelled') return { kind: 'failed', part: name, failure }
  if (stale) return { kind: 'fallback', part: name, shown: stale.reply, failure, ageMs: stale.ageMs }
  if (fallback) return { kind: 'fallback', part: name, shown: fallback, failure }
  return { kind: 'failed', part: name, failure }
}
