/** A number of values and the bytes they take. */
export interface Load {
  readonly entries: number
  readonly bytes: number
}

export const NO_LOAD: Load = { entries: 0, bytes: 0 }

/** What a store of this process may hold, unless told otherwise. */
export const DEFAULT_ROOM: Load = { entries: 100_000, bytes: 64 * 1_048_576 }

/** What is kept for one value beside key and value, roughly, in bytes. */
export const ENTRY_BYTES = 256

/** How a store would stand after a write. `account` is missing when nobody in particular pays for it. */
export interface Standing {
  readonly total: Load
  readonly account?: Load | undefined
}

/**
 * Why there is no room for a write, or undefined when there is. Beyond the bounds of the whole, an account may hold as
 * much as is left free and no more (a dynamic threshold, as switches share their buffers: Choudhury and Hahne, 1998): one
 * greedy caller gets half of an otherwise empty store, two get a third each, and whoever holds little always finds room.
 */
export function lackOfRoom({ total, account }: Standing, room: Load): string | undefined {
  if (total.entries > room.entries || total.bytes > room.bytes) return 'The store is full'
  if (!account) return undefined
  const isGreedy = account.entries > room.entries - total.entries || account.bytes > room.bytes - total.bytes
  return isGreedy ? 'The store has no more room for this caller: it holds as much as is left for all others' : undefined
}

/** The sum of both. */
export function plus(a: Load, b: Load): Load {
  return { entries: a.entries + b.entries, bytes: a.bytes + b.bytes }
}

/** What is left of `a` without `b`. */
export function minus(a: Load, b: Load): Load {
  return { entries: a.entries - b.entries, bytes: a.bytes - b.bytes }
}
