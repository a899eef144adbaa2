import { describe, test } from 'bun:test'
import fc from 'fast-check'
import { scenarios } from './test-drawn.ts'
import {
  answersAsRuled,
  callsWhatIsNeeded,
  leavesNothingBehind,
  stopsForNobody,
  takesTurns,
} from './test-properties.ts'
import type { Scenario } from './test-scenario.ts'

/** The same scenarios in every run of the suite: a suite that fails by luck is not looked at. */
const DRAWN = { numRuns: 60, seed: 1 }
const LIMIT_MS = 120_000

const free = scenarios('free')
const bounded = scenarios('bounded')
const kept = scenarios('kept')

function holds(arbitrary: fc.Arbitrary<Scenario>, property: (scenario: Scenario) => Promise<void>) {
  return () => fc.assert(fc.asyncProperty(arbitrary, property), DRAWN)
}

describe('an aggregate, whatever the order of replies and failures', () => {
  test('answers what a sequential model of its rules answers', holds(free, answersAsRuled), LIMIT_MS)
  test('answers that with few calls at once too', holds(bounded, answersAsRuled), LIMIT_MS)
  test('makes each call it needs once, the moment its inputs are there', holds(free, callsWhatIsNeeded), LIMIT_MS)
  test('makes no other calls when they wait for their turn', holds(bounded, callsWhatIsNeeded), LIMIT_MS)
  test(
    'never makes more calls at once than it may, nor fewer, and urgent ones first',
    holds(scenarios('crowded'), takesTurns),
    LIMIT_MS,
  )
  test('cancels what nobody waits for, and does nothing after the answer', holds(free, leavesNothingBehind), LIMIT_MS)
  test('does so with calls that wait for their turn too', holds(bounded, leavesNothingBehind), LIMIT_MS)

  test(
    'answers with what it remembers, of the same call and for the same caller',
    holds(kept, answersAsRuled),
    LIMIT_MS,
  )
  test('makes no call of which it remembers the reply, and every other', holds(kept, callsWhatIsNeeded), LIMIT_MS)

  test(
    'cancels everything when the client leaves',
    async () => {
      const property = fc.asyncProperty(bounded, fc.integer({ min: 0, max: 500 }), stopsForNobody)
      await fc.assert(property, DRAWN)
    },
    LIMIT_MS,
  )
})
