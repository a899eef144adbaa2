import { expect, test } from 'bun:test'
import { asPromised, nextAttempt } from './next-attempt.ts'

test.each([
  { name: 'what is due', leftMs: 0, said: 'now' },
  { name: 'what was due before', leftMs: -5_000, said: 'now' },
  { name: 'less than a second', leftMs: 1, said: 'in 1s' },
  { name: 'a second and a bit', leftMs: 1_001, said: 'in 2s' },
  { name: 'a minute', leftMs: 60_000, said: 'in 1m' },
  { name: 'nearly two minutes', leftMs: 118_001, said: 'in 1m 59s' },
  { name: 'the longest there is', leftMs: 300_000, said: 'in 5m' },
])('the time to the next attempt is never told too short: $name', ({ leftMs, said }) => {
  expect(nextAttempt({ nextAtMs: 1_000_000 + leftMs }, 1_000_000)).toBe(said)
})

test('what has no time is tried at once', () => {
  expect(nextAttempt({}, 1_000_000)).toBe('now')
})

test('no time is promised at which nobody does anything', () => {
  const item = { id: 'a', nextAtMs: 5 }
  expect(asPromised(item, true)).toEqual(item)
  expect(asPromised(item, false)).toEqual({ id: 'a' })
})
