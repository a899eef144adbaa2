import type { Clock } from '../../core/clock.ts'

/** Beyond 2³¹ − 1 ms (24.8 days) timers fire at once. */
const LONGEST_DELAY_MS = 2_147_483_647

/** The machine's clock and timers. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, Math.min(delayMs, LONGEST_DELAY_MS))
    return clearTimeout.bind(undefined, timer)
  },
}
