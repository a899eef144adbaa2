import { describe, expect, test } from 'bun:test'
import { createVirtualClock } from '../../tests/support/virtual-clock.ts'
import { RetryBudget } from './budget.ts'

function bench(share: number) {
  const clock = createVirtualClock()
  const budget = new RetryBudget(share, clock)
  return {
    clock,
    calls(times: number) {
      for (let i = 0; i < times; i++) budget.countCall()
    },
    /** Retries granted until the first refusal. */
    drain() {
      let granted = 0
      while (granted < 1_000 && budget.takeRetry()) granted++
      return granted
    },
  }
}

describe('RetryBudget', () => {
  test('grants a share of the calls', () => {
    const { calls, drain } = bench(0.2)
    calls(100)
    expect(drain()).toBe(20)
    calls(10)
    expect(drain()).toBe(2)
  })

  test('grants three even when there are few calls', () => {
    const { calls, drain } = bench(0.2)
    calls(1)
    expect(drain()).toBe(3)
    calls(13)
    expect(drain()).toBe(0)
  })

  test('grants nothing at 0 %', () => {
    const { calls, drain } = bench(0)
    calls(100)
    expect(drain()).toBe(0)
  })

  test('forgets retries after ten seconds', async () => {
    const { calls, clock, drain } = bench(0.2)
    calls(1)
    expect(drain()).toBe(3)
    await clock.advance(9_000)
    expect(drain()).toBe(0)
    await clock.advance(1_000)
    expect(drain()).toBe(3)
  })

  test('forgets calls after ten seconds', async () => {
    const { calls, clock, drain } = bench(0.2)
    calls(100)
    await clock.advance(10_000)
    expect(drain()).toBe(3)
  })
})
