import { isEmptyPast, isStored, NO_PAST, type Past, pastAfter, type SagaEntry } from './saga-entry.ts'
import {
  DEFAULT_SAGA_CAPACITY,
  JournalClosedError,
  PAST_CAPACITY,
  PAST_MS,
  type SagaCursor,
  SagaFullError,
  SagaGoneError,
  SagaInUseError,
  type SagaStorage,
} from './saga-storage.ts'

export interface MemorySagasOptions {
  /** The most sagas it holds, default 100,000. */
  readonly capacity?: number
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number
}

/** Sagas that are forgotten when the process ends: for tests, and for a gateway whose writes may be left half done. */
export function createMemorySagas({ capacity = DEFAULT_SAGA_CAPACITY, now }: MemorySagasOptions): SagaStorage {
  const entries = new Map<string, SagaEntry>()
  /** Ids of sagas. */
  const holders = new Map<string, string>()
  const remembered = createPasts(now)
  let closed = false

  const assertOpen = () => {
    if (closed) throw new JournalClosedError()
  }

  function pastOf(identity: string): Past {
    const holder = entries.get(holders.get(identity) ?? '')
    if (holder) throw new SagaInUseError(holder)
    return remembered.of(identity)
  }

  return {
    id: crypto.randomUUID(),

    async add(entry) {
      assertOpen()
      const { identity } = entry.draft
      if (identity !== undefined && JSON.stringify(pastOf(identity)) !== JSON.stringify(entry.past)) {
        throw new SagaInUseError()
      }
      if (entries.size >= capacity) throw new SagaFullError(capacity)
      entries.set(entry.id, structuredClone(entry))
      if (identity !== undefined) holders.set(identity, entry.id)
    },

    async change(id, change) {
      assertOpen()
      const entry = entries.get(id)
      if (!entry) throw new SagaGoneError(id)
      const changed = structuredClone(change(entry))
      if (isStored(changed)) return void entries.set(id, changed)
      entries.delete(id)
      const { identity } = entry.draft
      if (identity === undefined) return
      holders.delete(identity)
      remembered.set(identity, pastAfter(changed))
    },

    async past(identity) {
      assertOpen()
      return pastOf(identity)
    },

    async claim(limit, nowMs) {
      assertOpen()
      const due = inOrder(entries, 'undoing').filter(({ nextAtMs = 0 }) => nextAtMs <= nowMs)
      return due.slice(0, limit)
    },

    async find(id) {
      assertOpen()
      return entries.get(id)
    },

    async counts() {
      assertOpen()
      const counts = { open: 0, undoing: 0, parked: 0 }
      for (const { state } of entries.values()) counts[state]++
      return counts
    },

    async list(state, limit, after) {
      assertOpen()
      const later = inOrder(entries, state).filter((entry) => !after || compare(entry, after) > 0)
      return later.slice(0, limit)
    },

    async close() {
      closed = true
    },
  }
}

function compare(a: SagaCursor, b: SagaCursor): number {
  return a.beganAtMs - b.beganAtMs || (a.id < b.id ? -1 : Number(a.id > b.id))
}

function inOrder(entries: ReadonlyMap<string, SagaEntry>, state: SagaEntry['state']): SagaEntry[] {
  return [...entries.values()].filter((entry) => entry.state === state).sort(compare)
}

/** What is remembered, by identity; the oldest go when there are too many. */
function createPasts(now: () => number) {
  const remembered = new Map<string, { readonly past: Past; readonly atMs: number }>()
  return {
    of(identity: string): Past {
      const known = remembered.get(identity)
      return known && now() - known.atMs < PAST_MS ? known.past : NO_PAST
    },
    set(identity: string, past: Past): void {
      remembered.delete(identity)
      if (isEmptyPast(past)) return
      for (const [oldest] of remembered) {
        if (remembered.size < PAST_CAPACITY) break
        remembered.delete(oldest)
      }
      remembered.set(identity, { past, atMs: now() })
    },
  }
}
