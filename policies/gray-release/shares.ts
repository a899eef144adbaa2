import { BUCKETS } from './bucket.ts'

export type Weights = Readonly<Record<string, number>>

/** One version's buckets: from the end of the share before it up to, but not including, `end`. */
export interface Share {
  readonly version: string
  readonly end: number
}

/**
 * Lays the versions over the buckets: every version after the first takes its share from the low end, in the order
 * written, and the first takes the rest. So a version that grows at the cost of the first only gains subjects.
 * The weights' sum must be greater than zero.
 */
export function layOut(weights: Weights): readonly Share[] {
  const [first, ...others] = Object.entries(weights)
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0)
  let taken = 0
  const shares = others.map(([version, weight]) => {
    taken += weight
    return { version, end: Math.round((taken / total) * BUCKETS) }
  })
  return first ? [...shares, { version: first[0], end: BUCKETS }] : shares
}

/** The version a bucket belongs to. */
export function versionAt(shares: readonly Share[], bucket: number): string | undefined {
  return shares.find(({ end }) => bucket < end)?.version
}

/** Versions that are meant to get something, but less than the one hundredth of a percent that can be told apart. */
export function tooSmall(weights: Weights): readonly string[] {
  let start = 0
  const empty = new Set<string>()
  for (const { version, end } of layOut(weights)) {
    if (end <= start) empty.add(version)
    start = Math.max(start, end)
  }
  return Object.keys(weights).filter((version) => empty.has(version) && (weights[version] ?? 0) > 0)
}
