import {
  DEFAULT_OUTBOX_CAPACITY,
  type DueEvent,
  type Outbox,
  OutboxClosedError,
  type OutboxEntry,
  OutboxFullError,
  OutboxStateError,
  type StoredState,
} from './outbox.ts'

/** An outbox that forgets everything when the process ends: for tests, and for a gateway whose events may be lost. */
export function createMemoryOutbox({ capacity = DEFAULT_OUTBOX_CAPACITY } = {}): Outbox {
  const entries = new Map<string, OutboxEntry>()
  /** In the order of commitment, which is the order of delivery. */
  const committed = new Map<string, DueEvent>()
  let closed = false

  const assertOpen = () => {
    if (closed) throw new OutboxClosedError()
  }

  const take = (write: string, id: string, states: readonly StoredState[]): OutboxEntry => {
    assertOpen()
    const entry = entries.get(id)
    if (!entry || !states.includes(entry.state)) throw new OutboxStateError(write, id, states.join(' or '))
    return entry
  }

  return {
    async intend(id, draft, atMs) {
      assertOpen()
      if (entries.has(id)) throw new OutboxStateError('note', id, 'new')
      if (entries.size >= capacity) throw new OutboxFullError(capacity)
      entries.set(id, { id, state: 'pending', draft, intendedAtMs: atMs })
    },

    async commit(id, { event, address, committedAtMs }) {
      const { draft, intendedAtMs } = take('commit', id, ['pending', 'unknown'])
      // What is due is a copy, as it is in every durable outbox: the caller may go on to change its own.
      const due: DueEvent = { id, event: structuredClone(event), address: { ...address }, committedAtMs }
      entries.set(id, {
        id,
        state: 'committed',
        draft,
        intendedAtMs,
        event: due.event,
        address: due.address,
        committedAtMs,
      })
      committed.set(id, due)
    },

    async reject(id) {
      take('reject', id, ['pending', 'unknown'])
      entries.delete(id)
    },

    async markUnknown(id, reason) {
      const entry = take('mark as unknown', id, ['pending'])
      entries.set(id, { ...entry, state: 'unknown', reason })
    },

    async due(limit, busy) {
      assertOpen()
      const due: DueEvent[] = []
      const subjects = new Set<string>()
      for (const candidate of committed.values()) {
        if (due.length >= limit) break
        const { subject } = candidate.event
        const isFirst = subject === undefined || !subjects.has(subject)
        if (subject !== undefined) subjects.add(subject)
        if (isFirst && !busy.has(candidate.id)) due.push(candidate)
      }
      return due
    },

    async delivered(id) {
      assertOpen()
      if (committed.delete(id)) entries.delete(id)
    },

    async park(id, reason) {
      const entry = take('park', id, ['committed', 'unknown'])
      entries.set(id, { ...entry, state: 'parked', reason })
      committed.delete(id)
    },

    async requeue(id) {
      const { reason: _, ...entry } = take('put back', id, ['parked'])
      const { event, address, committedAtMs } = entry
      if (!event || !address || committedAtMs === undefined)
        throw new OutboxStateError('put back', id, 'parked with an event')
      entries.set(id, { ...entry, state: 'committed' })
      committed.set(id, { id, event, address, committedAtMs })
    },

    async counts() {
      assertOpen()
      const counts = { pending: 0, committed: 0, unknown: 0, parked: 0 }
      for (const { state } of entries.values()) counts[state]++
      const oldest = committed.values().next().value
      return oldest ? { ...counts, oldestCommittedAtMs: oldest.committedAtMs } : counts
    },

    async list(state, limit) {
      assertOpen()
      const listed = [...entries.values()].filter((entry) => entry.state === state)
      return listed.sort((a, b) => a.intendedAtMs - b.intendedAtMs).slice(0, limit)
    },

    async close() {
      closed = true
    },
  }
}
