import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import type { Limiter, Limiters, LimitRule, LimitVerdict } from '../../gateway/core/limiter.ts'

export interface LimitersUnderTest {
  readonly limiters: Limiters
  readonly now: () => number
  advance(ms: number): Promise<void>
  close?(): Promise<void>
}

type Algorithm = LimitRule['algorithm']

const WINDOW_MS = 10_000
const ALGORITHMS: readonly Algorithm[] = ['fixed-window', 'sliding-window', 'token-bucket']

/** What every implementation of `Limiters` does. */
export function testLimiters(name: string, create: () => Promise<LimitersUnderTest>): void {
  describe(`the limiters of ${name}`, () => {
    let subject: LimitersUnderTest
    let prefix = 0

    beforeEach(async () => {
      subject = await create()
      // The rest of the file reads as if time began at the beginning of a window.
      await subject.advance(WINDOW_MS - (subject.now() % WINDOW_MS))
    })

    afterEach(async () => {
      await subject.close?.()
    })

    const limiter = (algorithm: Algorithm, limit = 10, refill = limit): Limiter =>
      subject.limiters.create(`conformance.${subject.now()}.${prefix++}`, rule(algorithm, limit, refill))

    test.each(ALGORITHMS)('%s allows as many as the limit and refuses the next', async (algorithm) => {
      const verdicts = await takes(limiter(algorithm), 12)
      expect(verdicts.map(({ allowed }) => allowed)).toEqual([...Array(10).fill(true), false, false])
      expect(verdicts.map(({ remaining }) => remaining)).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0])
    })

    test.each(ALGORITHMS)('%s says how long it takes until the budget grows', async (algorithm) => {
      await subject.advance(3_000)
      const limited = limiter(algorithm)
      const [first] = await takes(limited, 1)
      await subject.advance(1_000)
      const [second] = await takes(limited, 1)
      const expected = algorithm === 'token-bucket' ? [10_000, 9_000] : [7_000, 6_000]
      expect([first?.resetMs, second?.resetMs]).toEqual(expected)
    })

    test.each(ALGORITHMS)('%s counts each key by itself', async (algorithm) => {
      const limited = limiter(algorithm, 1)
      const keys = ['a', 'b', 'a:b', 'a:', ':a', '', 'ä€𝄞', 'line\nbreak', '{a}', '*', 'k'.repeat(2_000)]
      for (const key of keys) expect(await limited.take(key)).toMatchObject({ allowed: true })
      for (const key of keys) expect(await limited.take(key)).toMatchObject({ allowed: false })
    })

    test.each(ALGORITHMS)('%s counts each prefix by itself', async (algorithm) => {
      const [one, other] = [limiter(algorithm, 1), limiter(algorithm, 1)]
      expect(await one.take('key')).toMatchObject({ allowed: true })
      expect(await other.take('key')).toMatchObject({ allowed: true })
      expect(await one.take('key')).toMatchObject({ allowed: false })
    })

    test.each(ALGORITHMS)('%s keeps its counts when the same limiter is made again', async (algorithm) => {
      const path = `again.${subject.now()}.${prefix++}`
      await takes(subject.limiters.create(path, rule(algorithm, 2, 2)), 2)
      expect(await subject.limiters.create(path, rule(algorithm, 2, 2)).take('key')).toMatchObject({ allowed: false })
    })

    test.each(ALGORITHMS)('%s never allows more than the limit to requests at once', async (algorithm) => {
      const limited = limiter(algorithm, 100)
      const verdicts = await Promise.all(Array.from({ length: 200 }, () => limited.take('key')))
      expect(allowedOf(verdicts)).toBe(100)
    })

    test.each(ALGORITHMS)('%s allows about its limit of a steady load of 1.6 times as much', async (algorithm) => {
      const limited = limiter(algorithm, 20)
      let allowed = 0
      for (let i = 0; i < 64; i++) {
        if ((await limited.take('key')).allowed) allowed++
        await subject.advance(WINDOW_MS / 32)
      }
      expect(allowed).toBeGreaterThanOrEqual(20)
      expect(allowed).toBeLessThanOrEqual(60)
    })

    test('fixed-window starts anew with each window, so that two budgets may meet at the boundary', async () => {
      const limited = limiter('fixed-window')
      await subject.advance(9_900)
      expect(allowedOf(await takes(limited, 12))).toBe(10)
      await subject.advance(200)
      expect(allowedOf(await takes(limited, 12))).toBe(10)
    })

    test('sliding-window counts the window before by the share that still reaches into this one', async () => {
      const limited = limiter('sliding-window')
      await subject.advance(9_900)
      expect(allowedOf(await takes(limited, 12))).toBe(10)
      await subject.advance(200)
      expect(allowedOf(await takes(limited, 12))).toBe(1)
      await subject.advance(4_900)
      expect(allowedOf(await takes(limited, 12))).toBe(4)
    })

    test('sliding-window does not charge refused requests', async () => {
      const limited = limiter('sliding-window')
      await takes(limited, 50)
      await subject.advance(15_000)
      expect(allowedOf(await takes(limited, 12))).toBe(5)
    })

    test('sliding-window forgets everything after two quiet windows', async () => {
      const limited = limiter('sliding-window')
      await takes(limited, 10)
      await subject.advance(20_000)
      expect(await limited.take('key')).toMatchObject({ allowed: true, remaining: 9 })
    })

    test('token-bucket refills by its rate after each interval, never above its size', async () => {
      const limited = limiter('token-bucket', 10, 3)
      await takes(limited, 10)
      await subject.advance(9_999)
      expect(allowedOf(await takes(limited, 5))).toBe(0)
      await subject.advance(1)
      expect(allowedOf(await takes(limited, 5))).toBe(3)
      await subject.advance(1_000_000)
      expect(allowedOf(await takes(limited, 15))).toBe(10)
    })

    test('token-bucket runs into no debt by refused requests', async () => {
      const limited = limiter('token-bucket', 2, 1)
      await takes(limited, 50)
      await subject.advance(10_000)
      expect(await limited.take('key')).toMatchObject({ allowed: true, remaining: 0 })
    })

    test('makes local limiters that count for themselves', async () => {
      const local = subject.limiters.createLocal(`local.${subject.now()}`, rule('fixed-window', 1, 1))
      expect(await local.take('key')).toMatchObject({ allowed: true, remaining: 0 })
      expect(await local.take('key')).toMatchObject({ allowed: false, remaining: 0 })
    })
  })
}

/** A rule whose windows are ten seconds long. */
export function rule(algorithm: Algorithm, limit: number, refill: number): LimitRule {
  return algorithm === 'token-bucket'
    ? { algorithm, limit, refill, intervalMs: WINDOW_MS }
    : { algorithm, limit, windowMs: WINDOW_MS }
}

/** The verdicts on `count` requests, one after the other. */
export async function takes(limiter: Limiter, count: number): Promise<LimitVerdict[]> {
  const verdicts: LimitVerdict[] = []
  for (let i = 0; i < count; i++) verdicts.push(await limiter.take('key'))
  return verdicts
}

/** How many were allowed. */
export function allowedOf(verdicts: readonly LimitVerdict[]): number {
  return verdicts.filter(({ allowed }) => allowed).length
}
