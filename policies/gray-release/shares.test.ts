import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { BUCKETS } from './bucket.ts'
import { layOut, tooSmall, versionAt, type Weights } from './shares.ts'

const bucketsOf = (weights: Weights, version: string) => {
  const shares = layOut(weights)
  return new Set(Array.from({ length: BUCKETS }, (_, i) => i).filter((bucket) => versionAt(shares, bucket) === version))
}

const sizes = (weights: Weights) =>
  Object.fromEntries(Object.keys(weights).map((version) => [version, bucketsOf(weights, version).size]))

describe('layOut', () => {
  test.each([
    { name: 'percentages', weights: { stable: 90, canary: 10 }, gives: { stable: 9_000, canary: 1_000 } },
    { name: 'shares of any sum', weights: { stable: 3, canary: 1 }, gives: { stable: 7_500, canary: 2_500 } },
    { name: 'hundredths of a percent', weights: { stable: 99.99, canary: 0.01 }, gives: { stable: 9_999, canary: 1 } },
    { name: 'no rounding surprises', weights: { stable: 99.93, canary: 0.07 }, gives: { stable: 9_993, canary: 7 } },
    { name: 'all for the new one', weights: { stable: 0, canary: 1 }, gives: { stable: 0, canary: 10_000 } },
    { name: 'nothing for the new one', weights: { stable: 1, canary: 0 }, gives: { stable: 10_000, canary: 0 } },
    { name: 'three versions', weights: { a: 1, b: 1, c: 1 }, gives: { a: 3_333, b: 3_333, c: 3_334 } },
    { name: 'one version', weights: { stable: 5 }, gives: { stable: 10_000 } },
  ])('shares the buckets out: $name', ({ weights, gives }) => {
    expect(sizes(weights)).toEqual(gives)
  })

  test('gives the new version the low end', () => {
    const shares = layOut({ stable: 90, canary: 10 })
    expect([0, 999, 1_000, 9_999].map((bucket) => versionAt(shares, bucket))).toEqual([
      'canary',
      'canary',
      'stable',
      'stable',
    ])
  })

  test('only ever adds subjects to a version that grows at the cost of the first', () => {
    const growth = fc.record({
      others: fc.array(fc.integer({ min: 0, max: 2_000 }), { minLength: 1, maxLength: 4 }),
      grown: fc.nat(3),
      by: fc.integer({ min: 0, max: 2_000 }),
    })
    let grew = 0
    fc.assert(
      fc.property(growth, ({ others, grown, by }) => {
        const at = grown % others.length
        const weigh = (weights: readonly number[]): Weights => ({
          first: BUCKETS - weights.reduce((sum, weight) => sum + weight, 0),
          ...Object.fromEntries(weights.map((weight, i) => [`version-${i}`, weight])),
        })
        const old = weigh(others)
        const fresh = weigh(others.with(at, (others[at] ?? 0) + by))
        const before = bucketsOf(old, `version-${at}`)
        const after = bucketsOf(fresh, `version-${at}`)
        expect([...before].filter((bucket) => !after.has(bucket))).toEqual([])
        expect(after.size).toBe(before.size + by)
        for (let i = 0; i < at; i++) expect(bucketsOf(fresh, `version-${i}`)).toEqual(bucketsOf(old, `version-${i}`))
        grew += by
      }),
      { numRuns: 25, seed: 7 },
    )
    expect(grew).toBeGreaterThan(0)
  })
})

describe('tooSmall', () => {
  test.each([
    { name: 'a share that can be told apart', weights: { stable: 99.99, canary: 0.01 }, found: [] },
    { name: 'a share that cannot', weights: { stable: 100, canary: 0.001 }, found: ['canary'] },
    { name: 'a first version left without any', weights: { stable: 0.001, canary: 100 }, found: ['stable'] },
    { name: 'zeros, which are meant', weights: { stable: 1, canary: 0, next: 0 }, found: [] },
  ])('looks for $name', ({ weights, found }) => {
    expect(tooSmall(weights)).toEqual(found)
  })
})
