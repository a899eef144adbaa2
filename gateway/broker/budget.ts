/** Counts octets against a limit. */
export class Budget {
  readonly limitBytes: number
  readonly #changed: () => void
  #used = 0

  /** `changed` is called after each change. */
  constructor(limitBytes: number, changed: () => void = () => {}) {
    this.limitBytes = limitBytes
    this.#changed = changed
  }

  get usedBytes(): number {
    return this.#used
  }

  /** How much of the limit is used: 1 is all of it. */
  get share(): number {
    return this.#used / this.limitBytes
  }

  /** Whether `bytes` more may be taken. */
  fits(bytes: number): boolean {
    return this.#used + bytes <= this.limitBytes
  }

  /** Counts `bytes` as used, even beyond the limit: who must be able to say no asks `fits` first. */
  take(bytes: number): void {
    this.#used += bytes
    this.#changed()
  }

  release(bytes: number): void {
    this.#used -= bytes
    this.#changed()
  }
}
