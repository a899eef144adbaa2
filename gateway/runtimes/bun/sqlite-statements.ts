import type { Database } from 'bun:sqlite'
import { RECEIPT_CAPACITY, RECEIPT_MS } from '../../events/outbox.ts'
import type { EntryRow, ReceiptRow } from './sqlite-rows.ts'

type Count = { readonly n: number }
type Subject = Pick<EntryRow, 'subject'>

/** Every statement about entries and receipts, compiled once. */
export function prepareStatements(database: Database) {
  return {
    size: database.prepare<Count, []>('SELECT size AS n FROM totals'),
    nextSequence: database.prepare<Count, []>('UPDATE totals SET sequence = sequence + 1 RETURNING sequence AS n'),

    leavePending: database.prepare<null, [reason: string]>(
      `UPDATE entries SET state = 'unknown', reason = ?
       WHERE state = 'pending' AND (owner IS NULL OR owner NOT IN (SELECT holder FROM leases))`,
    ),
    intend: database.prepare<null, [id: string, draft: string, intendedAtMs: number, owner: string]>(
      `INSERT INTO entries (id, state, draft, intended_at_ms, owner) VALUES (?, 'pending', ?, ?, ?)
       ON CONFLICT DO NOTHING`,
    ),
    waitingSubject: database.prepare<Count, [subject: string]>(
      `SELECT 1 AS n FROM entries WHERE subject = ? AND state = 'committed' LIMIT 1`,
    ),
    commit: database.prepare<null, (string | number | null)[]>(
      `UPDATE entries SET state = 'committed', reason = NULL, event = ?, exchange = ?, routing_key = ?, subject = ?,
         committed_at_ms = ?, sequence = ?, head = ?, next_at_ms = NULL,
         draft = json_remove(draft, '$.settlement', '$.cannotSettle')
       WHERE id = ? AND state IN ('pending', 'unknown')`,
    ),
    reject: database.prepare<null, [id: string]>(
      `DELETE FROM entries WHERE id = ? AND state IN ('pending', 'unknown')`,
    ),
    markUnknown: database.prepare<null, [reason: string, id: string]>(
      `UPDATE entries SET state = 'unknown', reason = ? WHERE id = ? AND state = 'pending'`,
    ),
    postpone: database.prepare<null, [attempts: number, nextAtMs: number, reason: string, id: string]>(
      `UPDATE entries SET attempts = ?, next_at_ms = ?, reason = ? WHERE id = ? AND state = 'unknown'`,
    ),
    delivered: database.prepare<Pick<EntryRow, 'subject' | 'draft'>, [id: string]>(
      `DELETE FROM entries WHERE id = ? AND state = 'committed' RETURNING subject, draft`,
    ),
    park: database.prepare<Subject, [reason: string, atMs: number, id: string]>(
      `UPDATE entries SET state = 'parked', reason = ?, parked_at_ms = ?, head = 0, next_at_ms = NULL
       WHERE id = ? AND state IN ('committed', 'unknown') RETURNING subject`,
    ),
    requeue: database.prepare<Subject, [sequence: number, atMs: number, id: string]>(
      `UPDATE entries SET state = 'committed', reason = NULL, parked_at_ms = NULL, attempts = 0, sequence = ?,
         requeued_at_ms = ?
       WHERE id = ? AND state = 'parked' AND event IS NOT NULL RETURNING subject`,
    ),
    doubtAgain: database.prepare<null, [reason: string, atMs: number, id: string]>(
      `UPDATE entries SET state = 'unknown', reason = ?, parked_at_ms = NULL, attempts = 0, requeued_at_ms = ?
       WHERE id = ? AND state = 'parked' AND event IS NULL AND draft ->> 'settlement' IS NOT NULL`,
    ),
    discard: database.prepare<null, [id: string]>(
      `DELETE FROM entries WHERE id = ? AND state IN ('parked', 'unknown')`,
    ),
    setHead: database.prepare<null, [id: string]>('UPDATE entries SET head = 1 WHERE id = ?'),
    promote: database.prepare<null, [subject: string]>(
      `UPDATE entries SET head = 1 WHERE id =
         (SELECT id FROM entries WHERE subject = ? AND state = 'committed' ORDER BY sequence LIMIT 1)`,
    ),

    // Each step finds the next address in the index, whatever number of events waits for the one before.
    addresses: database.prepare<{ readonly address: string }, []>(
      `WITH RECURSIVE found (address) AS (
         SELECT min(address) FROM entries WHERE head = 1
         UNION ALL
         SELECT (SELECT min(address) FROM entries WHERE head = 1 AND entries.address > found.address)
           FROM found WHERE found.address IS NOT NULL
       ) SELECT address FROM found WHERE address IS NOT NULL`,
    ),
    due: database.prepare<EntryRow, [address: string, busyIds: string, limit: number]>(
      `SELECT * FROM entries WHERE head = 1 AND address = ? AND id NOT IN (SELECT value FROM json_each(?))
       ORDER BY sequence LIMIT ?`,
    ),
    unsettled: database.prepare<
      EntryRow,
      [nowMs: number, latestMs: number, ids: string, upstreams: string, limit: number]
    >(
      `SELECT * FROM entries WHERE state = 'unknown' AND (coalesce(next_at_ms, 0) <= ? OR next_at_ms > ?)
         AND id NOT IN (SELECT value FROM json_each(?))
         AND coalesce(draft ->> '$.settlement.upstream', '') NOT IN (SELECT value FROM json_each(?))
       ORDER BY intended_at_ms, id LIMIT ?`,
    ),
    find: database.prepare<EntryRow, [id: string]>('SELECT * FROM entries WHERE id = ?'),
    oldest: database.prepare<Pick<EntryRow, 'committed_at_ms'>, []>(
      'SELECT committed_at_ms FROM entries WHERE head = 1 ORDER BY sequence LIMIT 1',
    ),
    countByState: database.prepare<Pick<EntryRow, 'state'> & Count, []>('SELECT state, n FROM tallies'),
    list: database.prepare<EntryRow, [state: string, afterMs: number, afterId: string, limit: number]>(
      `SELECT * FROM entries WHERE state = ? AND (intended_at_ms, id) > (?, ?) ORDER BY intended_at_ms, id LIMIT ?`,
    ),

    keepReceipt: database.prepare<Pick<ReceiptRow, 'number'>, [id: string, atMs: number, caller: string | null]>(
      'INSERT OR REPLACE INTO receipts (id, delivered_at_ms, caller) VALUES (?, ?, ?) RETURNING number',
    ),
    // Two of the oldest for each new one: what has expired goes faster than it comes.
    dropReceipts: database.prepare<null, [lastNumber: number, atMs: number]>(
      `DELETE FROM receipts WHERE number IN (SELECT number FROM receipts ORDER BY number LIMIT 2)
         AND (number <= ? - ${RECEIPT_CAPACITY} OR delivered_at_ms <= ? - ${RECEIPT_MS})`,
    ),
    receipt: database.prepare<ReceiptRow, [id: string]>('SELECT * FROM receipts WHERE id = ?'),
  }
}
