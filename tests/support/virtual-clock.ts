import type { Clock } from '../../gateway/core/clock.ts'

/** A clock that moves only when told to. */
export interface VirtualClock extends Clock {
  /**
   * Moves time forward by `ms`, keeps every appointment on the way in order of time, and lets promises settle after
   * each; resolves when nothing is left to settle. `advance(0)` only lets promises settle.
   */
  advance(ms: number): Promise<void>
  /** Sets the time of day forward by `ms`, or back: no time passes, and appointments stay where they are. */
  jump(ms: number): void
}

/** A virtual clock that shows `startMs` (milliseconds since the Unix epoch, default 2026-01-01). */
export function createVirtualClock(startMs: number = Date.UTC(2026, 0, 1)): VirtualClock {
  let nowMs = 0
  let epochMs = startMs
  const appointments = new Set<{ readonly atMs: number; readonly task: () => void }>()

  function nextUpTo(limitMs: number) {
    let next: { readonly atMs: number; readonly task: () => void } | undefined
    // A set keeps the order of insertion, so of two appointments at the same time the one made first is kept first.
    for (const appointment of appointments) {
      if (appointment.atMs <= limitMs && (!next || appointment.atMs < next.atMs)) next = appointment
    }
    return next
  }

  return {
    now: () => epochMs + nowMs,
    monotonic: () => nowMs,

    after(delayMs, task) {
      const appointment = { atMs: nowMs + Math.max(0, delayMs), task }
      appointments.add(appointment)
      return () => {
        appointments.delete(appointment)
      }
    },

    async advance(ms) {
      const endMs = nowMs + ms
      await settle()
      for (let next = nextUpTo(endMs); next; next = nextUpTo(endMs)) {
        appointments.delete(next)
        nowMs = next.atMs
        next.task()
        await settle()
      }
      nowMs = endMs
    },

    jump(ms) {
      epochMs += ms
    },
  }
}

/** A turn of the event loop: every promise that can settle by itself has done so afterwards. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 0)
  })
}
