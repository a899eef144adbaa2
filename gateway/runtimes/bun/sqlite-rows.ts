import type { DueEvent, OutboxCounts, OutboxEntry, Receipt, StoredState } from '../../events/outbox.ts'

/** A row of the table `entries`. */
export interface EntryRow {
  readonly id: string
  readonly state: StoredState
  readonly draft: string
  readonly intended_at_ms: number
  readonly reason: string | null
  readonly event: string | null
  readonly exchange: string | null
  readonly routing_key: string | null
  readonly subject: string | null
  readonly committed_at_ms: number | null
  readonly sequence: number | null
  readonly attempts: number
  readonly next_at_ms: number | null
  readonly parked_at_ms: number | null
  readonly requeued_at_ms: number | null
}

/** A row of the table `receipts`. */
export interface ReceiptRow {
  readonly number: number
  readonly id: string
  readonly delivered_at_ms: number
  readonly caller: string | null
}

/** The first `limit` of what is due for several addresses, in the order of commitment. */
export function mergeDue(rows: readonly EntryRow[], limit: number): DueEvent[] {
  return [...rows]
    .sort((a, b) => (a.sequence ?? 0) - (b.sequence ?? 0))
    .slice(0, limit)
    .map(toDueEvent)
}

/** The event of a committed entry. */
export function toDueEvent(row: EntryRow): DueEvent {
  return {
    id: row.id,
    event: JSON.parse(row.event ?? 'null'),
    address: { exchange: row.exchange ?? '', routingKey: row.routing_key ?? '' },
    committedAtMs: row.committed_at_ms ?? 0,
  }
}

/** The entry as operators and recovery see it: what has no value is left out. */
export function toEntry(row: EntryRow): OutboxEntry {
  const { id, state, attempts, intended_at_ms: intendedAtMs } = row
  return {
    id,
    state,
    intendedAtMs,
    attempts,
    draft: JSON.parse(row.draft),
    ...(row.reason === null ? {} : { reason: row.reason }),
    ...(row.next_at_ms === null ? {} : { nextAtMs: row.next_at_ms }),
    ...(row.parked_at_ms === null ? {} : { parkedAtMs: row.parked_at_ms }),
    ...(row.requeued_at_ms === null ? {} : { requeuedAtMs: row.requeued_at_ms }),
    ...(row.event === null ? {} : toDueEvent(row)),
  }
}

/** The receipt of a delivered entry. */
export function toReceipt({ id, delivered_at_ms: deliveredAtMs, caller }: ReceiptRow): Receipt {
  return { id, state: 'delivered', deliveredAtMs, ...(caller === null ? {} : { caller }) }
}

/** How full the outbox is, from the number of entries in each state. */
export function toCounts(
  rows: readonly { readonly state: StoredState; readonly n: number }[],
  oldestCommittedAtMs: number | null | undefined,
): OutboxCounts {
  const counts = { pending: 0, committed: 0, unknown: 0, parked: 0 }
  for (const { state, n } of rows) counts[state] = n
  return typeof oldestCommittedAtMs === 'number' ? { ...counts, oldestCommittedAtMs } : counts
}
