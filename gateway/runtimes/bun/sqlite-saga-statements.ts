import type { Database } from 'bun:sqlite'
import type { SagaEntry, StoredSagaState } from '../../saga/saga-entry.ts'
import { PAST_CAPACITY, PAST_MS } from '../../saga/saga-storage.ts'

/** A row of the table `sagas`. */
export interface SagaRow {
  readonly id: string
  readonly state: StoredSagaState
  readonly entry: string
  readonly identity: string | null
  readonly owner: string | null
  readonly began_at_ms: number
  readonly undoing_since_ms: number | null
  readonly next_at_ms: number | null
  readonly reason: string | null
}

/** The saga of a row: what has no value is left out. */
export function toSaga(row: SagaRow): SagaEntry {
  const { id, state, reason, next_at_ms: nextAtMs, undoing_since_ms: undoingSinceMs } = row
  return {
    ...JSON.parse(row.entry),
    id,
    state,
    ...(reason === null ? {} : { reason }),
    ...(nextAtMs === null ? {} : { nextAtMs }),
    ...(undoingSinceMs === null ? {} : { undoingSinceMs }),
  }
}

/** What of a saga stands in its row as JSON. */
export function toJson(entry: SagaEntry): string {
  const { id: _, state: __, reason: ___, nextAtMs: ____, undoingSinceMs: _____, ...rest } = entry
  return JSON.stringify(rest)
}

/** Nobody who lives has it but, perhaps, the process that asks. */
const FREE = '(owner IS NULL OR owner = $self OR owner NOT IN (SELECT holder FROM leases))'

type Values = (string | number | null)[]

/** Every statement about sagas, compiled once. */
export function prepareSagaStatements(database: Database) {
  return {
    identify: database.prepare<{ readonly id: string }, []>('SELECT id FROM journal'),
    leaveOpen: database.prepare<null, [reason: string]>(
      `UPDATE sagas SET state = 'undoing', reason = ?
       WHERE state = 'open' AND (owner IS NULL OR owner NOT IN (SELECT holder FROM leases))`,
    ),
    add: database.prepare<null, Values>(
      'INSERT INTO sagas (id, state, entry, identity, owner, began_at_ms) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    replace: database.prepare<null, Values>(
      `UPDATE sagas SET state = ?, entry = ?, owner = ?, undoing_since_ms = ?, next_at_ms = ?, reason = ? WHERE id = ?`,
    ),
    remove: database.prepare<null, [id: string]>('DELETE FROM sagas WHERE id = ?'),
    find: database.prepare<SagaRow, [id: string]>('SELECT * FROM sagas WHERE id = ?'),
    findFree: database.prepare<SagaRow, [{ id: string; self: string }]>(
      `SELECT * FROM sagas WHERE id = $id AND ${FREE}`,
    ),
    holder: database.prepare<SagaRow, [identity: string]>('SELECT * FROM sagas WHERE identity = ?'),
    due: database.prepare<Pick<SagaRow, 'id'>, [{ self: string; nowMs: number; limit: number }]>(
      `SELECT id FROM sagas WHERE state = 'undoing' AND coalesce(next_at_ms, 0) <= $nowMs AND ${FREE}
       ORDER BY began_at_ms, id LIMIT $limit`,
    ),
    claim: database.prepare<SagaRow, [{ ids: string; self: string; nowMs: number }]>(
      `UPDATE sagas SET owner = $self, undoing_since_ms = coalesce(undoing_since_ms, $nowMs)
       WHERE id IN (SELECT value FROM json_each($ids)) AND state = 'undoing' AND ${FREE} RETURNING *`,
    ),
    counts: database.prepare<{ readonly state: StoredSagaState; readonly n: number }, []>(
      'SELECT state, n FROM tallies',
    ),
    list: database.prepare<SagaRow, [state: string, afterMs: number, afterId: string, limit: number]>(
      'SELECT * FROM sagas WHERE state = ? AND (began_at_ms, id) > (?, ?) ORDER BY began_at_ms, id LIMIT ?',
    ),

    past: database.prepare<{ readonly past: string }, [identity: string, sinceMs: number]>(
      'SELECT past FROM pasts WHERE identity = ? AND at_ms > ?',
    ),
    forgetPast: database.prepare<null, [identity: string]>('DELETE FROM pasts WHERE identity = ?'),
    keepPast: database.prepare<{ readonly number: number }, [identity: string, past: string, atMs: number]>(
      'INSERT INTO pasts (identity, past, at_ms) VALUES (?, ?, ?) RETURNING number',
    ),
    // Two of the oldest for each new one: what has expired goes faster than it comes.
    dropPasts: database.prepare<null, [lastNumber: number, atMs: number]>(
      `DELETE FROM pasts WHERE number IN (SELECT number FROM pasts ORDER BY number LIMIT 2)
         AND (number <= ? - ${PAST_CAPACITY} OR at_ms <= ? - ${PAST_MS})`,
    ),
  }
}
