/** The links a shelf keeps in its items. */
export interface ShelfItem<Item> {
  older: Item | undefined
  newer: Item | undefined
}

/**
 * A queue from which any item can be taken at once: a doubly linked list. A `Map` keeps order too, but finding its first
 * key steps over every key deleted before it, which made a full map a hundred times slower.
 */
export class Shelf<Item extends ShelfItem<Item>> {
  #oldest: Item | undefined
  #newest: Item | undefined

  get oldest(): Item | undefined {
    return this.#oldest
  }

  /** Puts an item that lies on no shelf behind all others. */
  add(item: Item): void {
    item.older = this.#newest
    item.newer = undefined
    if (this.#newest) this.#newest.newer = item
    else this.#oldest = item
    this.#newest = item
  }

  /** Takes out an item that lies on this shelf. */
  remove(item: Item): void {
    if (item.older) item.older.newer = item.newer
    else this.#oldest = item.newer
    if (item.newer) item.newer.older = item.older
    else this.#newest = item.older
  }
}
