import { PartFailure } from '../failure.ts'
import { type Failed, type Outcome, textOf } from '../outcome.ts'
import type { Part } from '../plan/part.ts'
import { quoted } from '../reply/invalid.ts'
import { isMapping, membersOf } from '../reply/slices.ts'
import { fallBack } from '../run/fall-back.ts'
import type { Composition } from '../run/plan.ts'
import { type Layout, placesIn } from './layout.ts'

/**
 * Compiles the search for names that two parts bring. With `on-conflict: error` the part fails whose members collide
 * with a name of the file, or with a member of a part before it there; when which reply came plays no part in it.
 */
export function compileConflicts(layout: Layout, parts: readonly Part[]): (composition: Composition) => Composition {
  if (layout.onConflict !== 'error' || layout.isPlain) return (composition) => composition
  const places = placesIn(layout).filter(({ spread }) => spread.length > 0)

  return (composition) => {
    if (composition.decider) return composition
    const outcomes = [...composition.outcomes]
    for (const { owners, spread } of places) {
      const taken = new Map(owners)
      for (const index of spread) {
        const part = parts[index]
        const outcome = outcomes[index]
        if (part && outcome) outcomes[index] = withoutConflict(part, outcome, taken)
      }
    }
    const isDecisive = (outcome: Outcome, i: number): outcome is Failed =>
      outcome.kind === 'failed' && (parts[i]?.required ?? false)
    return { outcomes, decider: outcomes.find(isDecisive) }
  }
}

/** `taken` has what each name is of, in words. */
function withoutConflict(part: Part, outcome: Outcome, taken: Map<string, string>): Outcome {
  const names = namesIn(outcome)
  const twice = names.find((name) => taken.has(name))
  if (twice !== undefined) {
    const failure = new PartFailure('conflict', { cause: `${taken.get(twice)} has ${quoted(twice)} too` })
    // A stand-in that collides has nothing that could stand in for it.
    const isStandIn = outcome.kind === 'fallback' && outcome.shown === part.fallback
    return isStandIn
      ? { kind: 'failed', part: part.name, failure }
      : withoutConflict(part, fallBack(part, failure), taken)
  }
  for (const name of names) taken.set(name, `the part "${part.name}"`)
  return outcome
}

function namesIn(outcome: Outcome): string[] {
  const json = textOf(outcome)
  return json && isMapping(json) ? [...membersOf(json).keys()] : []
}
