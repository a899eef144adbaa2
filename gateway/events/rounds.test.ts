import { beforeEach, describe, expect, test } from 'bun:test'
import { createVirtualClock, type VirtualClock } from '../../tests/support/virtual-clock.ts'
import { createRounds, type Rounds } from './rounds.ts'

describe('rounds', () => {
  let clock: VirtualClock
  let rounds: Rounds
  /** When it has looked, in milliseconds. */
  let looks: number[]
  /** How long a look takes. */
  let lookMs: number

  beforeEach(() => {
    clock = createVirtualClock(0)
    looks = []
    lookMs = 0
    const look = () =>
      new Promise<void>((resolve) => {
        looks.push(clock.now())
        clock.after(lookMs, resolve)
      })
    rounds = createRounds({ clock, everyMs: 1_000, look })
  })

  test('come every so often, and when they are woken', async () => {
    await clock.advance(1_500)
    rounds.wake()
    await clock.advance(2_000)
    expect(looks).toEqual([1_000, 1_500, 2_500, 3_500])
  })

  test('come at the times they are told, in whatever order, and forget those that have passed', async () => {
    for (const timeMs of [2_700, 300, 1_650]) rounds.wakeAt(timeMs)
    await clock.advance(4_000)
    expect(looks).toEqual([300, 1_300, 1_650, 2_650, 2_700, 3_700])
  })

  test('take times together that are close to a look', async () => {
    for (const timeMs of [500, 501, 550, 599, 650]) rounds.wakeAt(timeMs)
    await clock.advance(1_000)
    expect(looks).toEqual([500, 600, 700])
  })

  test('come once more for what happens during a look', async () => {
    lookMs = 400
    rounds.wake()
    await clock.advance(100)
    rounds.wake()
    rounds.wake()
    rounds.wakeAt(600)
    await clock.advance(1_000)
    expect(looks).toEqual([0, 400, 800])
  })

  test('come no sooner and no later when the time of day was set', async () => {
    rounds.wakeAt(5_000)
    clock.jump(-86_400_000)
    await clock.advance(2_000)
    expect(looks).toHaveLength(2)
  })

  test('end with the look that is under way', async () => {
    lookMs = 400
    rounds.wake()
    let isOver = false
    const stopped = rounds.stop().then(() => {
      isOver = true
    })
    rounds.wake()
    rounds.wakeAt(500)
    await clock.advance(399)
    expect(isOver).toBe(false)
    await clock.advance(5_000)
    await stopped
    rounds.wake()
    rounds.wakeAt(1)
    await clock.advance(5_000)
    expect(looks).toEqual([0])
  })
})
