import { LRUCache } from 'lru-cache'
import type { Keep } from '../core/services.ts'

const MOST_THINGS = 1_000

/** Keeps what must outlive a reload of the configuration, in this process; the least used goes first when there is too much. */
export function createKeeper(): Keep {
  const things = new LRUCache<string, object>({ max: MOST_THINGS })
  return <Thing extends object>(name: string, make: () => Thing): Thing => {
    // The name says who made it and from what, so that it is what this caller would have made.
    const known = things.get(name) as Thing | undefined
    if (known) return known
    const made = make()
    things.set(name, made)
    return made
  }
}
