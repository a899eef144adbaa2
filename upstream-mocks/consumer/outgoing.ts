import type { Database } from 'bun:sqlite'
import type { CloudEvent } from './cloud-event.ts'

/** An event owed to the broker. */
export interface Owed {
  readonly sequence: number
  readonly subject: string
  readonly event: CloudEvent
}

/** The service's small outbox: events written together with the effect they tell of, until the broker has them. */
export interface Outgoing {
  /** Call it inside the transaction of the effect. */
  add(subject: string, event: CloudEvent): void
  /** The oldest first, without those of the subjects named. */
  oldest(limit: number, except: readonly string[]): readonly Owed[]
  forget(sequences: readonly number[]): void
  count(): number
  /** Tells whoever sends that there is something new. */
  onAdded(listener: () => void): void
  /** To be called after the commit. */
  announce(): void
}

interface Row {
  readonly sequence: number
  readonly subject: string
  readonly event: string
}

/** The outbox in the database's `outgoing` table. */
export function createOutgoing(database: Database): Outgoing {
  const add = database.query('INSERT INTO outgoing (subject, event) VALUES (?, ?)')
  const oldest = database.query<Row, [string, number]>(
    'SELECT * FROM outgoing WHERE subject NOT IN (SELECT value FROM json_each(?)) ORDER BY sequence LIMIT ?',
  )
  const forget = database.query('DELETE FROM outgoing WHERE sequence IN (SELECT value FROM json_each(?))')
  const count = database.query<{ n: number }, []>('SELECT count(*) AS n FROM outgoing')
  const listeners: (() => void)[] = []

  return {
    add: (subject, event) => void add.run(subject, JSON.stringify(event)),
    oldest: (limit, except) =>
      oldest.all(JSON.stringify(except), limit).map((row) => ({ ...row, event: JSON.parse(row.event) as CloudEvent })),
    forget: (sequences) => void forget.run(JSON.stringify(sequences)),
    count: () => count.get()?.n ?? 0,
    onAdded: (listener) => void listeners.push(listener),
    announce() {
      for (const listener of listeners) listener()
    },
  }
}
