import { describe, expect, test } from 'bun:test'
import type { Call } from '../../gateway/core/exchange.ts'
import { leavesTime, readRetryAfter, waitBefore } from './wait.ts'

const backoff = { firstMs: 25, maximumMs: 250 }
const wait = (attempt: number, random: number, retryAfterMs = 0) =>
  waitBefore(attempt, backoff, { random: () => random, retryAfterMs })

describe('waitBefore', () => {
  test('is anything from nothing up to a bound that doubles', () => {
    expect([wait(1, 0), wait(1, 0.999), wait(2, 0.999), wait(3, 0.999)]).toEqual([0, 25, 50, 100])
  })

  test('never exceeds the maximum', () => {
    expect([wait(5, 0.999_9), wait(10, 0.999_9), wait(2_000, 0.999_9)]).toEqual([250, 250, 250])
  })

  test('is no less than the upstream asked for', () => {
    expect([wait(1, 0, 200), wait(1, 0.999, 10)]).toEqual([200, 25])
  })

  test('is none when the upstream asked for more than the maximum', () => {
    expect([wait(1, 0, 250), wait(1, 0, 251)]).toEqual([250, undefined])
  })
})

describe('readRetryAfter', () => {
  const nowMs = Date.parse('2026-01-01T00:00:00Z')
  test.each([
    { name: 'seconds', value: '3', ms: 3_000 },
    { name: 'a date', value: 'Thu, 01 Jan 2026 00:00:07 GMT', ms: 7_000 },
    { name: 'a date that is past', value: 'Wed, 31 Dec 2025 23:00:00 GMT', ms: 0 },
    { name: 'nonsense', value: 'soon', ms: 0 },
    { name: 'a negative number', value: '-1', ms: 0 },
    { name: 'a date of another form', value: '2027-01-01T00:00:00Z', ms: 0 },
    { name: 'an empty value', value: '', ms: 0 },
  ])('reads $name', ({ value, ms }) => {
    expect(readRetryAfter(new Headers({ 'retry-after': value }), nowMs)).toBe(ms)
  })

  test('is zero without the header', () => {
    expect(readRetryAfter(new Headers(), nowMs)).toBe(0)
  })
})

describe('leavesTime', () => {
  const call = (signal: AbortSignal) => ({ exchange: { deadline: 1_000 }, signal }) as Call
  const running = new AbortController().signal

  test('is true up to the deadline, and no longer', () => {
    expect(leavesTime(call(running), 99, 900)).toBe(true)
    expect(leavesTime(call(running), 100, 900)).toBe(false)
  })

  test('is false once nobody waits for the call', () => {
    expect(leavesTime(call(AbortSignal.abort()), 0, 900)).toBe(false)
  })
})
