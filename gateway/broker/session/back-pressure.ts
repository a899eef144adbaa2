import { DELIVERIES_PAUSE_BYTES, READING_PAUSE_BYTES, type Wire } from './wire.ts'

/** What to hold back from a client that does not read as fast as it is written to. */
export class BackPressure {
  readonly #wire: Wire
  #isReadingPaused = false
  #holdsBack = false

  constructor(wire: Wire) {
    this.#wire = wire
  }

  get isReadingPaused(): boolean {
    return this.#isReadingPaused
  }

  /** Whether there is room for deliveries; who asks in vain is owed a `resumeDeliveries`. */
  hasRoomForDeliveries(): boolean {
    const hasRoom = this.#wire.bufferedBytes < DELIVERIES_PAUSE_BYTES
    this.#holdsBack ||= !hasRoom
    return hasRoom
  }

  /** Stops reading when too many answers wait. */
  review(): void {
    if (this.#wire.bufferedBytes < READING_PAUSE_BYTES) return
    this.#isReadingPaused = true
    this.#wire.pause()
  }

  /** Everything has left: reads again if it had stopped, and returns whether it had. */
  resumeReading(): boolean {
    if (!this.#isReadingPaused) return false
    this.#isReadingPaused = false
    this.#wire.resume()
    return true
  }

  /** Returns whether deliveries were held back. */
  resumeDeliveries(): boolean {
    const heldBack = this.#holdsBack
    this.#holdsBack = false
    return heldBack
  }
}
