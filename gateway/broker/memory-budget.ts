/** Counts the octets that messages occupy, stored or still arriving. */
export class MemoryBudget {
  readonly #limit: number
  #used = 0

  constructor(limitBytes: number) {
    this.#limit = limitBytes
  }

  get usedBytes(): number {
    return this.#used
  }

  /** Whether `bytes` more may be taken. */
  fits(bytes: number): boolean {
    return this.#used + bytes <= this.#limit
  }

  /** Counts `bytes` as used, even beyond the limit: who must be able to say no asks `fits` first. */
  take(bytes: number): void {
    this.#used += bytes
  }

  release(bytes: number): void {
    this.#used -= bytes
  }
}
