import type { Clock } from '../core/clock.ts'

/** What platforms' timers can count. */
const LONGEST_WAIT_MS = 2 ** 31 - 1

/** Calls `task` when a moment has come that may be moved or given up at any time. */
export class Alarm {
  readonly #clock: Clock
  readonly #task: () => void
  #at: number | undefined
  #cancel: (() => void) | undefined

  constructor(clock: Clock, task: () => void) {
    this.#clock = clock
    this.#task = task
  }

  /** Waits for `at` (milliseconds since the Unix epoch) instead of what it waited for before; undefined waits for nothing. */
  set(at: number | undefined): void {
    if (at === this.#at) return
    this.#cancel?.()
    this.#at = at
    if (at !== undefined) this.#wait(at)
  }

  #wait(at: number): void {
    const delayMs = Math.min(Math.max(at - this.#clock.now(), 0), LONGEST_WAIT_MS)
    this.#cancel = this.#clock.after(delayMs, () => this.#wake(at))
  }

  /** Timers come early by a fraction of a millisecond, and very long waits take several of them. */
  #wake(at: number): void {
    if (this.#clock.now() < at) {
      this.#wait(at)
      return
    }
    this.#at = undefined
    this.#task()
  }
}
