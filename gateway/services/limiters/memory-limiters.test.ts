import { describe, expect, test } from 'bun:test'
import { rule, testLimiters } from '../../../tests/support/limiter-conformance.ts'
import { createVirtualClock } from '../../../tests/support/virtual-clock.ts'
import { createMemoryLimiters } from './memory-limiters.ts'

testLimiters('memory', async () => {
  const clock = createVirtualClock()
  return { limiters: createMemoryLimiters({ clock }), now: clock.now, advance: (ms) => clock.advance(ms) }
})

describe('memory limiters', () => {
  const limited = (maximumKeys: number) => {
    const clock = createVirtualClock()
    const limiters = createMemoryLimiters({ clock, maximumKeys })
    return { clock, limiters, limiter: limiters.create('site', rule('fixed-window', 1, 1)) }
  }

  test('forgets the least recently used key when all places are taken', async () => {
    const { limiter } = limited(3)
    for (const key of ['a', 'b', 'c', 'a', 'd']) await limiter.take(key)
    expect(await limiter.take('a')).toMatchObject({ allowed: false })
    expect(await limiter.take('c')).toMatchObject({ allowed: false })
    expect(await limiter.take('b')).toMatchObject({ allowed: true })
  })

  test('forgets expired keys before any living one, though that was used less recently', async () => {
    const { clock, limiters, limiter } = limited(3)
    const daily = limiters.create('site', { algorithm: 'fixed-window', limit: 1, windowMs: 86_400_000 })
    await daily.take('long')
    await limiter.take('short-1')
    await limiter.take('short-2')
    await clock.advance(10_000)
    await limiter.take('short-3')
    await limiter.take('short-4')
    expect(await daily.take('long')).toMatchObject({ allowed: false })
  })

  test('gives each limiter room of its own, so that a flood of keys in one resets no other', async () => {
    const { limiters, limiter } = limited(2)
    const other = limiters.create('other', rule('sliding-window', 1, 1))
    expect(await limiter.take('a')).toMatchObject({ allowed: true })
    for (let i = 0; i < 100; i++) await other.take(`key ${i}`)
    expect(await limiter.take('a')).toMatchObject({ allowed: false })
  })

  test('keeps one caller limited while ten thousand others pass by', async () => {
    const { limiter } = limited(1_000)
    expect(await limiter.take('hot')).toMatchObject({ allowed: true })
    let admitted = 0
    for (let i = 0; i < 10_000; i++) {
      await limiter.take(`passer-by ${i}`)
      if (i % 500 === 0 && (await limiter.take('hot')).allowed) admitted++
    }
    expect(admitted).toBe(0)
  })

  test('goes on counting when the clock is set back', async () => {
    const clock = createVirtualClock()
    let offsetMs = 0
    const limiters = createMemoryLimiters({ clock: { ...clock, now: () => clock.now() + offsetMs } })
    for (const algorithm of ['fixed-window', 'sliding-window', 'token-bucket'] as const) {
      const limiter = limiters.create(algorithm, rule(algorithm, 3, 3))
      await limiter.take('key')
      offsetMs = -25_000
      const { allowed, remaining, resetMs } = await limiter.take('key')
      expect(allowed).toBe(true)
      expect(remaining).toBeLessThanOrEqual(2)
      expect(resetMs).toBeGreaterThan(0)
      offsetMs = 0
    }
  })
})
