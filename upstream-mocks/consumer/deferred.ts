import type { Database } from 'bun:sqlite'
import type { CloudEvent } from './cloud-event.ts'

/**
 * The events of a queue that wait in a delay queue. While one waits, later events of its subject wait behind it, or
 * they would overtake it.
 */
export interface Deferred {
  /** Whether an earlier event of the subject still waits. */
  isBehind(queue: string, event: CloudEvent): boolean
  /** Notes that the event waits; it keeps the place it had. After `untilMs` it holds up nobody any more. */
  note(queue: string, event: CloudEvent, untilMs: number): void
  /** The event is dealt with, one way or the other. */
  forget(queue: string, event: CloudEvent): void
  /** Puts off all the ends, for a consumer that was away while messages came back. */
  extend(untilMs: number): void
}

/** Notes in the database's `deferred` table. */
export function createDeferred(database: Database, now: () => number): Deferred {
  const isBehind = database.query<{ found: 1 }, [string, string, number, string, string, string]>(`
    SELECT 1 AS found FROM deferred WHERE queue = ?1 AND subject = ?2 AND until_ms > ?3 AND position < coalesce(
      (SELECT position FROM deferred WHERE queue = ?4 AND source = ?5 AND id = ?6), ${Number.MAX_SAFE_INTEGER}
    ) LIMIT 1`)
  const note = database.query(`
    INSERT INTO deferred (queue, subject, source, id, until_ms) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (queue, source, id) DO UPDATE SET until_ms = excluded.until_ms`)
  const forget = database.query('DELETE FROM deferred WHERE queue = ? AND source = ? AND id = ?')
  const extend = database.query('UPDATE deferred SET until_ms = ?1 WHERE until_ms < ?1')

  return {
    isBehind: (queue, { subject, source, id }) =>
      subject !== undefined && isBehind.get(queue, subject, now(), queue, source, id) !== null,
    note(queue, { subject, source, id }, untilMs) {
      // Without a subject there is no order to keep.
      if (subject !== undefined) note.run(queue, subject, source, id, untilMs)
    },
    forget: (queue, { source, id }) => void forget.run(queue, source, id),
    extend: (untilMs) => void extend.run(untilMs),
  }
}
