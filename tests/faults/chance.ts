/** Chance that can be repeated: the same seed gives the same choices. */
export interface Chance {
  /** In [0, 1). */
  next(): number
  /** A whole number from `least` to `most`, both included. */
  between(least: number, most: number): number
  /** One of them; throws when there are none. */
  pick<Item>(items: readonly Item[]): Item
  /** True in `share` (0 to 1) of the cases. */
  happens(share: number): boolean
  /** A source of its own, so that what one part draws does not move what another one does. */
  fork(): Chance
}

/** Chance from a 32-bit seed (mulberry32). */
export function createChance(seed: number): Chance {
  let state = seed >>> 0

  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const between = (least: number, most: number) => least + Math.floor(next() * (most - least + 1))

  return {
    next,
    between,
    pick(items) {
      const item = items[between(0, items.length - 1)]
      if (item === undefined) throw new RangeError('Cannot pick one of nothing')
      return item
    },
    happens: (share) => next() < share,
    fork: () => createChance(between(0, 2 ** 32 - 1)),
  }
}
