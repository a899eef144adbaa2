import {
  addressKey,
  DEFAULT_OUTBOX_CAPACITY,
  type DueEvent,
  isRemembered,
  LONGEST_POSTPONEMENT_MS,
  type Outbox,
  OutboxClosedError,
  type OutboxEntry,
  OutboxFullError,
  OutboxStateError,
  PUT_BACK,
  RECEIPT_CAPACITY,
  RECEIPT_MS,
  type Receipt,
  type StoredState,
} from './outbox.ts'

/** An outbox that forgets everything when the process ends: for tests, and for a gateway whose events may be lost. */
export function createMemoryOutbox({ capacity = DEFAULT_OUTBOX_CAPACITY } = {}): Outbox {
  const entries = new Map<string, OutboxEntry>()
  /** In the order of commitment, which is the order of delivery. */
  const committed = new Map<string, DueEvent>()
  const receipts = createReceipts()
  let lease: { readonly holder: string; readonly untilMs: number } | undefined
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

  const assertRoom = (id: string, atMs: number) => {
    assertOpen()
    const receipt = receipts.get(id)
    if (entries.has(id) || (receipt && isRemembered(receipt, atMs))) throw new OutboxStateError('note', id, 'new')
    if (entries.size >= capacity) throw new OutboxFullError(capacity)
  }

  const makeDue = (entry: OutboxEntry, { event, address, committedAtMs }: Omit<DueEvent, 'id'>) => {
    const { id, intendedAtMs, attempts } = entry
    const { settlement: _, cannotSettle: __, ...draft } = entry.draft
    // What is due is a copy, as it is in every durable outbox: the caller may go on to change its own.
    const due: DueEvent = { id, event: structuredClone(event), address: { ...address }, committedAtMs }
    entries.set(id, { ...due, state: 'committed', draft, intendedAtMs, attempts })
    committed.set(id, due)
  }

  const park = (id: string, reason: string, atMs: number) => {
    const { nextAtMs: _, ...entry } = take('park', id, ['committed', 'unknown'])
    entries.set(id, { ...entry, state: 'parked', reason, parkedAtMs: atMs })
    committed.delete(id)
  }

  return {
    async intend(id, draft, atMs) {
      assertRoom(id, atMs)
      entries.set(id, { id, state: 'pending', draft, intendedAtMs: atMs, attempts: 0 })
    },

    async add({ id, ...due }, draft) {
      assertRoom(id, due.committedAtMs)
      makeDue({ id, state: 'pending', draft, intendedAtMs: due.committedAtMs, attempts: 0 }, due)
    },

    async commit(id, due) {
      makeDue(take('commit', id, ['pending', 'unknown']), due)
    },

    async withhold(id, due, reason) {
      makeDue(take('withhold', id, ['pending', 'unknown']), due)
      park(id, reason, due.committedAtMs)
    },

    async reject(id) {
      take('reject', id, ['pending', 'unknown'])
      entries.delete(id)
    },

    async markUnknown(id, reason) {
      const entry = take('mark as unknown', id, ['pending'])
      entries.set(id, { ...entry, state: 'unknown', reason })
    },

    async due(limit, busy, withheld) {
      assertOpen()
      const due: DueEvent[] = []
      const subjects = new Set<string>()
      for (const candidate of committed.values()) {
        if (due.length >= limit) break
        const { subject } = candidate.event
        const isFirst = subject === undefined || !subjects.has(subject)
        if (subject !== undefined) subjects.add(subject)
        const isWithheld = withheld?.has(addressKey(candidate.address)) ?? false
        if (isFirst && !isWithheld && !busy.has(candidate.id)) due.push(candidate)
      }
      return due
    },

    async delivered(id, atMs) {
      assertOpen()
      if (!committed.delete(id)) return
      const caller = entries.get(id)?.draft.caller
      entries.delete(id)
      receipts.add({ id, state: 'delivered', deliveredAtMs: atMs, ...(caller === undefined ? {} : { caller }) })
    },

    async unsettled(limit, nowMs, inHand) {
      assertOpen()
      const latestMs = nowMs + LONGEST_POSTPONEMENT_MS
      const isInHand = ({ id, draft: { settlement } }: OutboxEntry) =>
        inHand !== undefined && (inHand.ids.has(id) || (!!settlement && inHand.upstreams.has(settlement.upstream)))
      const mayBeTried = (entry: OutboxEntry) => {
        const { nextAtMs = 0 } = entry
        return (nextAtMs <= nowMs || nextAtMs > latestMs) && !isInHand(entry)
      }
      return oldestFirst(entries, 'unknown', mayBeTried).slice(0, limit)
    },

    async postpone(id, attempt) {
      const entry = take('postpone', id, ['unknown'])
      entries.set(id, { ...entry, ...attempt })
    },

    async park(id, reason, atMs) {
      park(id, reason, atMs)
    },

    async requeue(id, atMs) {
      const { reason: _, parkedAtMs: __, ...entry } = take('put back', id, ['parked'])
      const { event, address, committedAtMs } = entry
      if (event && address && committedAtMs !== undefined) {
        entries.set(id, { ...entry, state: 'committed', attempts: 0, requeuedAtMs: atMs })
        committed.set(id, { id, event, address, committedAtMs })
      } else if (entry.draft.settlement) {
        entries.set(id, { ...entry, state: 'unknown', attempts: 0, requeuedAtMs: atMs, reason: PUT_BACK })
      } else {
        throw new OutboxStateError('put back', id, 'parked with an event or a settlement')
      }
    },

    async discard(id) {
      take('discard', id, ['parked', 'unknown'])
      entries.delete(id)
    },

    async find(id) {
      assertOpen()
      return entries.get(id) ?? receipts.get(id)
    },

    async counts() {
      assertOpen()
      const counts = { pending: 0, committed: 0, unknown: 0, parked: 0 }
      for (const { state } of entries.values()) counts[state]++
      const oldest = committed.values().next().value
      return oldest ? { ...counts, oldestCommittedAtMs: oldest.committedAtMs } : counts
    },

    async list(state, limit, after) {
      assertOpen()
      return oldestFirst(entries, state, (entry) => !after || compare(entry, after) > 0).slice(0, limit)
    },

    async acquireLease(holder, ttlMs, nowMs) {
      assertOpen()
      if (lease && lease.holder !== holder && nowMs < lease.untilMs) return false
      lease = { holder, untilMs: nowMs + ttlMs }
      return true
    },

    async releaseLease(holder) {
      assertOpen()
      if (lease?.holder === holder) lease = undefined
    },

    async close() {
      closed = true
    },
  }
}

type Place = Pick<OutboxEntry, 'intendedAtMs' | 'id'>

function compare(a: Place, b: Place): number {
  return a.intendedAtMs - b.intendedAtMs || (a.id < b.id ? -1 : Number(a.id > b.id))
}

function oldestFirst(
  entries: ReadonlyMap<string, OutboxEntry>,
  state: StoredState,
  fits: (entry: OutboxEntry) => boolean,
): OutboxEntry[] {
  return [...entries.values()].filter((entry) => entry.state === state && fits(entry)).sort(compare)
}

/** Receipts in the order of delivery; each new one lets go of the oldest that are too old or too many. */
function createReceipts() {
  const receipts = new Map<string, Receipt>()
  return {
    get: (id: string) => receipts.get(id),
    add(receipt: Receipt) {
      for (const [id, { deliveredAtMs }] of receipts) {
        if (receipts.size < RECEIPT_CAPACITY && receipt.deliveredAtMs - deliveredAtMs < RECEIPT_MS) break
        receipts.delete(id)
      }
      // Behind the others, although there may have been an older one of its id.
      receipts.delete(receipt.id)
      receipts.set(receipt.id, receipt)
    },
  }
}
