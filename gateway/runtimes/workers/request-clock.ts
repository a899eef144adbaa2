import type { Clock } from '../../core/clock.ts'

/** Time within a request: it stands still between two waits, and an appointment ends with its request. */
export const requestClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs)
    return () => clearTimeout(timer)
  },
}
