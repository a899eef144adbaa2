import type { Clock } from '../../core/clock.ts'
import { type Store, StoreUnavailable, type Term } from '../../core/store.ts'
import { ExpiringMap } from './expiring-map.ts'
import { DEFAULT_ROOM, ENTRY_BYTES, type Load, lackOfRoom, minus, NO_LOAD, plus } from './room.ts'

export interface MemoryStoreOptions {
  readonly clock: Clock
  /** Default 100,000. */
  readonly maximumEntries?: number
  /** Upper bound for keys and values together. Default 64 MiB. */
  readonly maximumBytes?: number
}

interface Held {
  readonly value: string
  readonly account: string | undefined
  readonly load: Load
}

/**
 * A store in this process's memory. Full of living values it refuses new ones with `StoreUnavailable`, as Redis does by
 * default: to forget a lease or an idempotency record in silence would break a promise somebody relies on. No account
 * may hold more than it leaves free.
 */
export function createMemoryStore({
  clock,
  maximumEntries = DEFAULT_ROOM.entries,
  maximumBytes = DEFAULT_ROOM.bytes,
}: MemoryStoreOptions): Store {
  const room: Load = { entries: maximumEntries, bytes: maximumBytes }
  const accounts = new Map<string, Load>()
  const values = new ExpiringMap<Held>(({ account, load }) => book(account, minus(loadOf(account), load)))

  function loadOf(account: string | undefined): Load {
    return (account === undefined ? undefined : accounts.get(account)) ?? NO_LOAD
  }

  function book(account: string | undefined, load: Load): void {
    if (account === undefined) return
    if (load.entries === 0) accounts.delete(account)
    else accounts.set(account, load)
  }

  function write(key: string, value: string, { ttlMs, account }: Term): void {
    const now = clock.now()
    const load: Load = { entries: 1, bytes: bytesOf(key, value) }
    const before = values.get(key, now)
    // What takes no more room than it had is always taken: an outcome must find its place in the place of its lease.
    if (!before || before.load.bytes < load.bytes) makeRoom(minus(load, before?.load ?? NO_LOAD), account, now)
    values.set(key, { value, account, load }, { expiresAt: now + ttlMs, now, weight: load.bytes })
    book(account, plus(loadOf(account), load))
  }

  function makeRoom(added: Load, account: string | undefined, now: number): void {
    for (;;) {
      const total = plus({ entries: values.size, bytes: values.weight }, added)
      const own = account === undefined ? undefined : plus(loadOf(account), added)
      const lack = lackOfRoom({ total, account: own }, room)
      if (lack === undefined) return
      if (!values.dropExpired(now)) throw new StoreUnavailable(lack)
    }
  }

  return {
    async get(key) {
      return values.get(key, clock.now())?.value
    },
    async set(key, value, ttlMs) {
      write(key, value, { ttlMs })
    },
    async putIfAbsent(key, value, term) {
      const present = values.get(key, clock.now())?.value
      if (present === undefined) write(key, value, term)
      return present
    },
    async replace(key, expected, value, ttlMs) {
      const present = values.get(key, clock.now())
      if (present?.value !== expected) return false
      write(key, value, { ttlMs, account: present.account })
      return true
    },
    async remove(key, expected) {
      if (values.get(key, clock.now())?.value !== expected) return false
      values.delete(key)
      return true
    },
  }
}

/** JavaScript strings take at most two bytes for each code unit. */
function bytesOf(key: string, value: string): number {
  return ENTRY_BYTES + 2 * (key.length + value.length)
}
