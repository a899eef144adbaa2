import type { Clock } from '../core/clock.ts'

/** Looks for work when it is woken, when a time for it has come, and every so often in any case. */
export interface Rounds {
  /** Looks at once, or once more when it is looking already. */
  wake(): void
  /** Looks at this time too, in milliseconds since the Unix epoch. */
  wakeAt(timeMs: number): void
  /** Looks never again; resolves when a look under way is over. */
  stop(): Promise<void>
}

export interface RoundsParts {
  readonly clock: Clock
  /** Longest time from the end of a look to the next one, in milliseconds; the first comes after it, too. */
  readonly everyMs: number
  /** Must not reject. */
  readonly look: () => Promise<void>
}

/** Rest between two looks that a time has called for: times that are close share one. */
const GRAIN_MS = 100

export function createRounds({ clock, everyMs, look }: RoundsParts): Rounds {
  /** Those that are not looked at yet, and the earliest of them. */
  const times = new Set<number>()
  let earliestMs = Number.POSITIVE_INFINITY
  let looking: Promise<void> | undefined
  let wasWoken = false
  let isOver = false
  let endedAtMs = clock.monotonic()
  let restedAtMs = endedAtMs
  let cancel = () => {}

  function plan(): void {
    cancel()
    const nowMs = clock.monotonic()
    const waitMs = Math.min(endedAtMs + everyMs - nowMs, Math.max(restedAtMs - nowMs, earliestMs - clock.now()))
    cancel = clock.after(Math.max(0, waitMs), lookNow)
  }

  function lookNow(): void {
    cancel()
    wasWoken = false
    const beganAtMs = clock.now()
    const isTimely = earliestMs <= beganAtMs
    looking = look().finally(() => {
      looking = undefined
      endedAtMs = clock.monotonic()
      if (isTimely) restedAtMs = endedAtMs + GRAIN_MS
      forget(beganAtMs)
      if (isOver) return
      if (wasWoken) lookNow()
      else plan()
    })
  }

  function forget(untilMs: number): void {
    earliestMs = Number.POSITIVE_INFINITY
    for (const timeMs of times) {
      if (timeMs <= untilMs) times.delete(timeMs)
      else earliestMs = Math.min(earliestMs, timeMs)
    }
  }

  plan()

  return {
    wake() {
      if (isOver) return
      if (looking) wasWoken = true
      else lookNow()
    },
    wakeAt(timeMs) {
      times.add(timeMs)
      if (timeMs >= earliestMs) return
      earliestMs = timeMs
      if (!looking && !isOver) plan()
    },
    async stop() {
      isOver = true
      cancel()
      await looking
    },
  }
}
