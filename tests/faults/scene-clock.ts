import type { Clock } from '../../gateway/core/clock.ts'

/** A clock that runs `speed` times as fast as the machine's, and whose time of day can be set. */
export interface SceneClock extends Clock {
  /** Sets the time of day forward, or back; what is monotonic does not notice. */
  jump(byMs: number): void
}

/** Lets a minute of waiting pass in seconds, so that a thousand runs fit into an hour. */
export function createSceneClock(speed: number): SceneClock {
  const startedAtMs = Date.now()
  let offsetMs = 0
  return {
    now: () => Math.round(startedAtMs + (Date.now() - startedAtMs) * speed + offsetMs),
    monotonic: () => performance.now() * speed,
    after(delayMs, task) {
      const timer = setTimeout(task, Math.min(delayMs / speed, 2_147_483_647))
      return () => clearTimeout(timer)
    },
    jump(byMs) {
      offsetMs += byMs
    },
  }
}
