import type { Exchange } from '../../gateway/core/exchange.ts'
import type { Services } from '../../gateway/core/services.ts'
import { StoreUnavailable } from '../../gateway/core/store.ts'
import type { Place } from './digest.ts'
import { type Answered, type Entry, parseEntry, type Unkept } from './entry.ts'
import type { IdempotencyOptions } from './options.ts'

/** Time beyond the deadline in which a running request still writes its answer down. */
const SETTLING_MS = 1_000

/** The right to run the request of a key, as it stands in the store. Whoever lost it can write nothing any more. */
export interface Lease {
  readonly slot: string
  readonly fingerprint: string
  readonly text: string
}

/** The answers of one mount in the store. */
export interface Answers {
  /** A lease when the key was free, else what stands there. Throws `StoreUnavailable`. */
  reserve(
    { slot, account }: Place,
    fingerprint: string,
    exchange: Exchange,
  ): Promise<{ lease: Lease } | { lease?: never; entry: Entry }>
  /** Writes the outcome in place of the lease. Never throws: the work is done, and its answer goes out anyway. */
  keep(lease: Lease, entry: Answered | Unkept): Promise<'kept' | 'lease-lost' | 'store-failed'>
  /** Frees the key, so that a repeat runs again. Never throws: the lease ends by itself. */
  release(lease: Lease): Promise<void>
}

/** Binds the answers of the mount at `path` to the store. */
export function createAnswers(given: IdempotencyOptions, { store, clock, createId }: Services, path: string): Answers {
  return {
    async reserve({ slot, account }, fingerprint, { deadline }) {
      const lease = { slot: `${path}:${slot}`, fingerprint, text: runningEntry(createId(), fingerprint) }
      const leftMs = Number.isFinite(deadline) ? deadline - clock.now() + SETTLING_MS : 0
      const ttlMs = Math.max(given.lease, Math.ceil(leftMs))
      const present = await store.putIfAbsent(lease.slot, lease.text, { ttlMs, account })
      // A client of the store that sends a command again finds its own lease.
      if (present === undefined || present === lease.text) return { lease }
      return { entry: parseEntry(present) }
    },

    async keep({ slot, text }, entry) {
      try {
        return (await store.replace(slot, text, JSON.stringify(entry), given.ttl)) ? 'kept' : 'lease-lost'
      } catch (error) {
        if (error instanceof StoreUnavailable) return 'store-failed'
        throw error
      }
    },

    async release({ slot, text }) {
      try {
        await store.remove(slot, text)
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error
      }
    },
  }
}

function runningEntry(token: string, fingerprint: string): string {
  return JSON.stringify({ state: 'running', token, fingerprint } satisfies Entry)
}
