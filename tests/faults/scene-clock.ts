import type { Clock } from '../../gateway/core/clock.ts'

/** A clock that runs `speed` times as fast as the machine's, and whose time of day can be set. */
export interface SceneClock extends Clock {
  /** Sets the time of day to so much before or after the real one; what is monotonic does not notice. */
  set(offsetMs: number): void
}

/** What the clocks of one machine have in common, however often a process of it is started again. */
export interface SceneTime {
  /** So many times as fast as the real time runs this one. */
  readonly speed: number
  /** Since when, in milliseconds since the Unix epoch. */
  readonly startedAtMs: number
  /** By how much the time of day has been set, in milliseconds. */
  readonly offsetMs: number
}

/** Lets a minute of waiting pass in seconds, so that a thousand runs fit into an hour. */
export function createSceneClock({ speed, startedAtMs, offsetMs }: SceneTime): SceneClock {
  let setByMs = offsetMs
  return {
    now: () => Math.round(startedAtMs + (Date.now() - startedAtMs) * speed + setByMs),
    monotonic: () => performance.now() * speed,
    after(delayMs, task) {
      const timer = setTimeout(task, Math.min(delayMs / speed, 2_147_483_647))
      return () => clearTimeout(timer)
    },
    set(offsetMs) {
      setByMs = offsetMs
    },
  }
}
