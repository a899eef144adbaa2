import type { Clock } from '../../gateway/core/clock.ts'

const WINDOW_SLOTS = 10
const SLOT_MS = 1_000

/** Retries within ten seconds that are granted however few calls there are. */
export const MINIMUM_RETRIES = 3

interface Slot {
  readonly number: number
  calls: number
  retries: number
}

/**
 * Bounds retries to a share of the calls of the last ten seconds, so that a failing upstream is not buried under
 * repeats. Counts per process.
 */
export class RetryBudget {
  readonly #share: number
  readonly #clock: Clock
  #slots: Slot[] = []

  /** `share` is 0..1: retries for every call. */
  constructor(share: number, clock: Clock) {
    this.#share = share
    this.#clock = clock
  }

  countCall(): void {
    this.#current().calls++
  }

  /** Takes leave for one retry; false when the budget is spent. */
  takeRetry(): boolean {
    const current = this.#current()
    let calls = 0
    let retries = 0
    for (const slot of this.#slots) {
      calls += slot.calls
      retries += slot.retries
    }
    if (this.#share === 0 || retries + 1 > Math.max(MINIMUM_RETRIES, calls * this.#share)) return false
    current.retries++
    return true
  }

  #current(): Slot {
    const number = Math.floor(this.#clock.now() / SLOT_MS)
    const last = this.#slots.at(-1)
    // A clock that was set back keeps counting in the newest slot.
    if (last && number <= last.number) return last
    this.#slots = this.#slots.filter((slot) => slot.number > number - WINDOW_SLOTS)
    const slot = { number, calls: 0, retries: 0 }
    this.#slots.push(slot)
    return slot
  }
}
