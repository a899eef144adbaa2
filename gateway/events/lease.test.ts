import { beforeEach, describe, expect, test } from 'bun:test'
import { type RecordedTelemetry, recordTelemetry } from '../../tests/support/recorded-telemetry.ts'
import { createVirtualClock, type VirtualClock } from '../../tests/support/virtual-clock.ts'
import { startLease } from './lease.ts'
import { createMemoryOutbox } from './memory-outbox.ts'
import type { Outbox } from './outbox.ts'

describe('The lease of an outbox', () => {
  let clock: VirtualClock
  let outbox: Outbox
  let telemetry: RecordedTelemetry

  beforeEach(() => {
    clock = createVirtualClock()
    outbox = createMemoryOutbox()
    telemetry = recordTelemetry()
  })

  const start = (holder: string) => startLease({ outbox, holder, clock, ...telemetry })

  test('is had by one process and kept by it', async () => {
    const [a, b] = [start('a'), start('b')]
    for (let seconds = 0; seconds < 60; seconds++) {
      await clock.advance(1_000)
      expect([a.isHeld, b.isHeld]).toEqual([true, false])
    }
  })

  test('goes to the next within a second and a bit when it is given up', async () => {
    const [a, b] = [start('a'), start('b')]
    await clock.advance(500)
    await a.stop()
    expect(a.isHeld).toBe(false)
    await clock.advance(1_000)
    expect(b.isHeld).toBe(true)
  })

  test('ends for a process that cannot prolong it, before another one may have it', async () => {
    const { acquireLease } = outbox
    const a = start('a')
    await clock.advance(0)
    outbox.acquireLease = async (holder, ...rest) => {
      if (holder === 'a') throw new Error('disk I/O error')
      return acquireLease(holder, ...rest)
    }
    const b = start('b')
    const held: string[] = []
    for (let i = 0; i < 80; i++) {
      await clock.advance(100)
      held.push(`${a.isHeld ? 'a' : ''}${b.isHeld ? 'b' : ''}`)
    }
    expect(held).not.toContain('ab')
    expect(held.indexOf('')).toBeGreaterThan(35)
    expect(held.lastIndexOf('') - held.indexOf('')).toBeGreaterThanOrEqual(9)
    expect(held.at(-1)).toBe('b')
    expect(telemetry.lines).toContainEqual(
      expect.objectContaining({ level: 'error', facts: { reason: 'disk I/O error' } }),
    )
  })

  test('is not held by a process that slept through its end, even before it notices', async () => {
    let sleptMs = 0
    const sleeper = { ...clock, monotonic: () => clock.monotonic() + sleptMs }
    const a = startLease({ outbox, holder: 'a', clock: sleeper, ...telemetry })
    await clock.advance(0)
    sleptMs = 3_999
    expect(a.isHeld).toBe(true)
    // Time has passed, and none of its appointments was kept.
    sleptMs = 4_000
    expect(a.isHeld).toBe(false)
  })

  test('does not care when the clock is set', async () => {
    const [a, b] = [start('a'), start('b')]
    await clock.advance(500)
    clock.jump(86_400_000)
    await clock.advance(3_000)
    expect([a.isHeld, b.isHeld]).toEqual([true, false])
    clock.jump(-2 * 86_400_000)
    await clock.advance(3_000)
    expect([a.isHeld, b.isHeld]).toEqual([true, false])
  })

  test('tells those who listen each time it is got, and the operator who has it', async () => {
    const a = start('a')
    await clock.advance(500)
    let times = 0
    const b = start('b')
    const end = b.onHeld(() => times++)
    await clock.advance(2_000)
    expect(times).toBe(0)
    await a.stop()
    await clock.advance(2_000)
    expect(times).toBe(1)
    end()
    expect(telemetry.valueOf('sluice_relay_lease_held')).toBe(1)
    expect(telemetry.lines.map(({ message }) => message)).toEqual([
      'This process delivers the events of the outbox',
      'This process delivers the events of the outbox',
    ])
    await b.stop()
    expect(telemetry.valueOf('sluice_relay_lease_held')).toBe(0)
  })
})
