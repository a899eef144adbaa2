import type { Clock } from '../../core/clock.ts'
import { type Store, StoreUnavailable } from '../../core/store.ts'
import { ExpiringMap } from './expiring-map.ts'

export interface MemoryStoreOptions {
  readonly clock: Clock
  /** Default 100,000. */
  readonly maximumEntries?: number
  /** Upper bound for keys and values together. Default 64 MiB. */
  readonly maximumBytes?: number
}

/** What the engine keeps for one entry beside the two strings, roughly. */
const ENTRY_BYTES = 256

/**
 * A store in this process's memory. Full of living values it refuses new ones with `StoreUnavailable`, as Redis does by
 * default: to forget a lease or an idempotency record in silence would break a promise somebody relies on.
 */
export function createMemoryStore({
  clock,
  maximumEntries = 100_000,
  maximumBytes = 64 * 1_048_576,
}: MemoryStoreOptions): Store {
  const values = new ExpiringMap<string>()

  const write = (key: string, value: string, ttlMs: number): void => {
    const now = clock.now()
    const weight = bytesOf(key, value)
    const before = values.get(key, now)
    const freed = before === undefined ? { entries: 0, bytes: 0 } : { entries: 1, bytes: bytesOf(key, before) }
    const isFull = () =>
      values.size - freed.entries >= maximumEntries || values.weight - freed.bytes + weight > maximumBytes
    while (isFull()) {
      if (!values.dropExpired(now)) throw new StoreUnavailable('The memory store is full')
    }
    values.set(key, value, { expiresAt: now + ttlMs, now, weight })
  }

  return {
    async get(key) {
      return values.get(key, clock.now())
    },
    async set(key, value, ttlMs) {
      write(key, value, ttlMs)
    },
    async putIfAbsent(key, value, ttlMs) {
      const present = values.get(key, clock.now())
      if (present === undefined) write(key, value, ttlMs)
      return present
    },
    async replace(key, expected, value, ttlMs) {
      if (values.get(key, clock.now()) !== expected) return false
      write(key, value, ttlMs)
      return true
    },
    async remove(key, expected) {
      if (values.get(key, clock.now()) !== expected) return false
      values.delete(key)
      return true
    },
  }
}

/** JavaScript strings take at most two bytes for each code unit. */
function bytesOf(key: string, value: string): number {
  return ENTRY_BYTES + 2 * (key.length + value.length)
}
