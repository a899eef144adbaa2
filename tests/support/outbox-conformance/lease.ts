import { describe, expect, test } from 'bun:test'
import type { Outbox } from '../../../gateway/events/outbox.ts'

/** What every outbox must do for those who share it. */
export function testLease(outbox: () => Outbox): void {
  describe('for relays that share it', () => {
    const acquire = (holder: string, atMs: number) => outbox().acquireLease(holder, 1_000, atMs)

    test('gives the lease to one, who may prolong it', async () => {
      expect(await acquire('a', 0)).toBe(true)
      expect(await acquire('b', 500)).toBe(false)
      expect(await acquire('a', 900)).toBe(true)
      expect(await acquire('b', 1_899)).toBe(false)
      expect(await acquire('b', 1_900)).toBe(true)
      expect(await acquire('a', 1_901)).toBe(false)
    })

    test('gives it to the next at once when it was given up, by its holder and nobody else', async () => {
      await acquire('a', 0)
      await outbox().releaseLease('b')
      expect(await acquire('b', 1)).toBe(false)
      await outbox().releaseLease('a')
      expect(await acquire('b', 2)).toBe(true)
    })
  })
}
