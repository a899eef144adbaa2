import { Shelf, type ShelfItem } from './shelf.ts'

interface Entry<Value> extends ShelfItem<Entry<Value>> {
  readonly key: string
  value: Value
  expiresAt: number
  weight: number
  /** Grows with every write; the smallest of all was written longest ago. */
  turn: number
  shelf: Shelf<Entry<Value>>
}

/** When a value expires (milliseconds since the epoch), and how much of the budget it takes. */
export interface Placement {
  readonly expiresAt: number
  readonly now: number
  /** Default 1. */
  readonly weight?: number
}

/**
 * A map whose values expire, with constant work per operation. It knows cheaply what may go first: values lie on shelves
 * by the power of two of their remaining life, each shelf in order of writing, so that only the head of each of some
 * forty shelves need be looked at. Reading is exact; the order of dropping expired values is exact to a factor of two.
 */
export class ExpiringMap<Value> {
  readonly #index = new Map<string, Entry<Value>>()
  readonly #shelves: Shelf<Entry<Value>>[] = []
  readonly #onGone: (value: Value) => void
  #turn = 0
  #weight = 0

  /** `onGone` hears of every value that leaves: overwritten, deleted or dropped. */
  constructor(onGone: (value: Value) => void = () => {}) {
    this.#onGone = onGone
  }

  get size(): number {
    return this.#index.size
  }

  /** Sum of the weights of all values, those included that have expired and were not yet dropped. */
  get weight(): number {
    return this.#weight
  }

  get(key: string, now: number): Value | undefined {
    const entry = this.#index.get(key)
    if (!entry) return undefined
    if (entry.expiresAt > now) return entry.value
    this.#drop(entry)
    return undefined
  }

  set(key: string, value: Value, { expiresAt, now, weight = 1 }: Placement): void {
    const shelf = this.#shelfFor(expiresAt - now)
    const turn = this.#turn++
    let entry = this.#index.get(key)
    if (entry) {
      entry.shelf.remove(entry)
      this.#weight -= entry.weight
      this.#onGone(entry.value)
      Object.assign(entry, { value, expiresAt, weight, turn, shelf })
    } else {
      entry = { key, value, expiresAt, weight, turn, shelf, older: undefined, newer: undefined }
      this.#index.set(key, entry)
    }
    shelf.add(entry)
    this.#weight += weight
  }

  delete(key: string): void {
    const entry = this.#index.get(key)
    if (entry) this.#drop(entry)
  }

  /** Drops one expired value that heads a shelf; false when there is none. */
  dropExpired(now: number): boolean {
    const head = this.#shelves.find(({ oldest }) => oldest !== undefined && oldest.expiresAt <= now)?.oldest
    if (head) this.#drop(head)
    return head !== undefined
  }

  /** Drops the value written longest ago. */
  dropOldest(): void {
    let first: Entry<Value> | undefined
    for (const { oldest } of this.#shelves) {
      if (oldest && (!first || oldest.turn < first.turn)) first = oldest
    }
    if (first) this.#drop(first)
  }

  #drop(entry: Entry<Value>): void {
    this.#index.delete(entry.key)
    entry.shelf.remove(entry)
    this.#weight -= entry.weight
    this.#onGone(entry.value)
  }

  #shelfFor(lifeMs: number): Shelf<Entry<Value>> {
    const place = Math.ceil(Math.log2(Math.max(1, lifeMs)))
    while (this.#shelves.length <= place) this.#shelves.push(new Shelf())
    return this.#shelves[place] as Shelf<Entry<Value>>
  }
}
