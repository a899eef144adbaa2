import type { Database } from 'bun:sqlite'
import type { StoredState } from '../../events/outbox.ts'

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
}

type Count = { readonly n: number }
type Subject = Pick<EntryRow, 'subject'>

/** Every statement of the outbox, compiled once. */
export function prepareStatements(database: Database) {
  return {
    leavePending: database.prepare<null, [reason: string]>(
      `UPDATE entries SET state = 'unknown', reason = ? WHERE state = 'pending'`,
    ),
    countAll: database.prepare<Count, []>('SELECT count(*) AS n FROM entries'),
    lastSequence: database.prepare<Count, []>('SELECT coalesce(max(sequence), 0) AS n FROM entries'),

    intend: database.prepare<null, [id: string, draft: string, intendedAtMs: number]>(
      `INSERT INTO entries (id, state, draft, intended_at_ms) VALUES (?, 'pending', ?, ?) ON CONFLICT DO NOTHING`,
    ),
    waitingSubject: database.prepare<Count, [subject: string]>(
      `SELECT 1 AS n FROM entries WHERE subject = ? AND state = 'committed' LIMIT 1`,
    ),
    commit: database.prepare<null, (string | number | null)[]>(
      `UPDATE entries SET state = 'committed', reason = NULL, event = ?, exchange = ?, routing_key = ?, subject = ?,
         committed_at_ms = ?, sequence = ?, head = ?
       WHERE id = ? AND state IN ('pending', 'unknown')`,
    ),
    reject: database.prepare<null, [id: string]>(
      `DELETE FROM entries WHERE id = ? AND state IN ('pending', 'unknown')`,
    ),
    markUnknown: database.prepare<null, [reason: string, id: string]>(
      `UPDATE entries SET state = 'unknown', reason = ? WHERE id = ? AND state = 'pending'`,
    ),
    delivered: database.prepare<Subject, [id: string]>(
      `DELETE FROM entries WHERE id = ? AND state = 'committed' RETURNING subject`,
    ),
    park: database.prepare<Subject, [reason: string, id: string]>(
      `UPDATE entries SET state = 'parked', reason = ?, head = 0
       WHERE id = ? AND state IN ('committed', 'unknown') RETURNING subject`,
    ),
    requeue: database.prepare<Subject, [sequence: number, id: string]>(
      `UPDATE entries SET state = 'committed', reason = NULL, sequence = ?
       WHERE id = ? AND state = 'parked' AND event IS NOT NULL RETURNING subject`,
    ),
    setHead: database.prepare<null, [id: string]>('UPDATE entries SET head = 1 WHERE id = ?'),
    promote: database.prepare<null, [subject: string]>(
      `UPDATE entries SET head = 1 WHERE id =
         (SELECT id FROM entries WHERE subject = ? AND state = 'committed' ORDER BY sequence LIMIT 1)`,
    ),

    due: database.prepare<EntryRow, [busyIds: string, limit: number]>(
      `SELECT * FROM entries WHERE head = 1 AND id NOT IN (SELECT value FROM json_each(?)) ORDER BY sequence LIMIT ?`,
    ),
    oldest: database.prepare<Pick<EntryRow, 'committed_at_ms'>, []>(
      'SELECT committed_at_ms FROM entries WHERE head = 1 ORDER BY sequence LIMIT 1',
    ),
    countByState: database.prepare<Pick<EntryRow, 'state'> & Count, []>(
      'SELECT state, count(*) AS n FROM entries GROUP BY state',
    ),
    list: database.prepare<EntryRow, [state: string, limit: number]>(
      'SELECT * FROM entries WHERE state = ? ORDER BY intended_at_ms, id LIMIT ?',
    ),
  }
}
