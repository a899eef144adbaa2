import type { Labels, Metrics } from '../../../gateway/core/telemetry.ts'
import type { Outcome } from '../outcome.ts'
import type { Part } from '../plan/part.ts'
import { WORDS, type Word, wordFor } from './status.ts'

export interface Counting {
  readonly metrics: Metrics
  readonly mount: string
}

/** Compiles the counting of what became of the parts; the function takes their outcomes in the order of the parts. */
export function compileTally(
  parts: readonly Part[],
  { metrics, mount }: Counting,
): (outcomes: readonly Outcome[]) => void {
  const labels = parts.map(({ name }) => labelsOf(mount, name))
  return (outcomes) => {
    for (let i = 0; i < outcomes.length; i++) {
      const outcome = outcomes[i]
      if (outcome) metrics.count('sluice_parts_total', labels[i]?.[wordFor(outcome)])
    }
  }
}

function labelsOf(mount: string, part: string): Readonly<Record<Word, Labels>> {
  const labels = WORDS.map((outcome) => [outcome, { mount, part, outcome }])
  return Object.fromEntries(labels) as Record<Word, Labels>
}
