import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { quickestRun } from '../../tests/support/real-time.ts'
import { matchesTopic } from './topic.ts'

const table: readonly [pattern: string, routingKey: string, matches: boolean][] = [
  ['order.placed', 'order.placed', true],
  ['order.placed', 'order.Placed', false],
  ['order.placed', 'order', false],
  ['order', 'order.placed', false],
  ['order.*', 'order.placed', true],
  ['order.*', 'order', false],
  ['order.*', 'order.placed.late', false],
  ['*', 'order', true],
  ['*', '', false],
  ['*.*', 'order', false],
  ['#', '', true],
  ['#', 'order', true],
  ['#', 'order.placed.late', true],
  ['order.#', 'order', true],
  ['order.#', 'order.placed.late', true],
  ['order.#', 'orders', false],
  ['#.late', 'late', true],
  ['#.late', 'order.placed.late', true],
  ['#.late', 'late.order', false],
  ['a.#.z', 'a.z', true],
  ['a.#.z', 'a.z.b.z', true],
  ['a.#.z', 'a.z.b', false],
  ['#.b.#', 'a.b.c', true],
  ['#.b.#', 'a.c', false],
  ['#.*', '', false],
  ['#.*', 'a', true],
  ['*.#.*', 'a', false],
  ['*.#.*', 'a.b', true],
  ['#.#', '', true],
  ['', '', true],
  ['', 'a', false],
  ['a..b', 'a..b', true],
  ['a.*.b', 'a..b', true],
  ['a.b*', 'a.bc', false],
]

/** The definition, word by word; slow on purpose. */
function matchesByDefinition(pattern: readonly string[], words: readonly string[]): boolean {
  const [first, ...rest] = pattern
  if (first === undefined) return words.length === 0
  if (first === '#') {
    return matchesByDefinition(rest, words) || (words.length > 0 && matchesByDefinition(pattern, words.slice(1)))
  }
  return words.length > 0 && (first === '*' || first === words[0]) && matchesByDefinition(rest, words.slice(1))
}

describe('topic matching', () => {
  test.each(table.map(([pattern, key, matches]) => ({ name: `"${pattern}" and "${key}"`, pattern, key, matches })))(
    'decides $name',
    ({ pattern, key, matches }) => {
      expect(matchesTopic(pattern, key)).toBe(matches)
    },
  )

  test('agrees with the definition for any pattern', () => {
    const pattern = fc.array(fc.constantFrom('a', 'b', '*', '#'), { minLength: 1, maxLength: 7 })
    const words = fc.array(fc.constantFrom('a', 'b'), { minLength: 1, maxLength: 7 })
    fc.assert(
      fc.property(pattern, words, (wanted, given) => {
        expect(matchesTopic(wanted.join('.'), given.join('.'))).toBe(matchesByDefinition(wanted, given))
      }),
      { numRuns: 2_000 },
    )
  })

  test('stays quick for patterns made to take long', async () => {
    const pattern = `${'#.a.'.repeat(60)}z`
    const tookMs = await quickestRun(500, () => {
      expect(matchesTopic(pattern, Array(125).fill('a').join('.'))).toBe(false)
    })
    expect(tookMs).toBeLessThanOrEqual(500)
  })
})
