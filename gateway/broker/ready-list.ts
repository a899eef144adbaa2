import type { Entry } from './message.ts'

const COMPACT_AFTER = 1_024

/** The entries of a queue that wait for a consumer, in the order they were published. */
export class ReadyList {
  #entries: (Entry | undefined)[] = []
  #head = 0

  get length(): number {
    return this.#entries.length - this.#head
  }

  first(): Entry | undefined {
    return this.#entries[this.#head]
  }

  append(entry: Entry): void {
    this.#entries.push(entry)
  }

  takeFirst(): Entry | undefined {
    const entry = this.#entries[this.#head]
    if (entry === undefined) return undefined
    this.#entries[this.#head] = undefined
    this.#head += 1
    if (this.#head > COMPACT_AFTER && this.#head * 2 > this.#entries.length) this.#compact()
    return entry
  }

  /** Puts an entry that was taken back where it was. */
  putBack(entry: Entry): void {
    const place = this.#placeOf(entry.position)
    if (place === this.#head && this.#head > 0) {
      this.#head -= 1
      this.#entries[this.#head] = entry
    } else {
      this.#entries.splice(place, 0, entry)
    }
  }

  /** Takes one entry out wherever it is; returns whether it was there. */
  remove(entry: Entry): boolean {
    const place = this.#placeOf(entry.position)
    if (this.#entries[place] !== entry) return false
    this.#entries.splice(place, 1)
    return true
  }

  /** Empties the list and returns what was in it. */
  takeAll(): Entry[] {
    const entries = this.#entries.slice(this.#head).filter((entry) => entry !== undefined)
    this.#entries = []
    this.#head = 0
    return entries
  }

  #placeOf(position: number): number {
    let low = this.#head
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const entry = this.#entries[middle]
      if (entry !== undefined && entry.position < position) low = middle + 1
      else high = middle
    }
    return low
  }

  #compact(): void {
    this.#entries = this.#entries.slice(this.#head)
    this.#head = 0
  }
}
