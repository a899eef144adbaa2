import type { Database } from 'bun:sqlite'

/**
 * One row an entry. `sequence` is the order of commitment. `head` marks the first committed entry of each subject,
 * so that finding what is due never reads past the events that wait behind another one.
 */
const SCHEMA = `
  CREATE TABLE entries (
    id              TEXT NOT NULL PRIMARY KEY,
    state           TEXT NOT NULL CHECK (state IN ('pending', 'committed', 'unknown', 'parked')),
    draft           TEXT NOT NULL,
    intended_at_ms  INTEGER NOT NULL,
    reason          TEXT,
    event           TEXT,
    exchange        TEXT,
    routing_key     TEXT,
    subject         TEXT,
    committed_at_ms INTEGER,
    sequence        INTEGER,
    head            INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX entries_by_state ON entries (state, intended_at_ms);
  CREATE INDEX entries_due ON entries (sequence) WHERE head = 1;
  CREATE INDEX entries_by_subject ON entries (subject, sequence) WHERE state = 'committed';
`
const SCHEMA_VERSION = 1

/** Brings a database to the present schema, in one transaction that also proves that nobody else has the file. */
export function migrate(database: Database): void {
  database.run('PRAGMA locking_mode = EXCLUSIVE')
  database.run('PRAGMA journal_mode = WAL')
  // Without FULL a write-ahead log is synced at checkpoints only, and a power loss takes acknowledged writes with it.
  database.run('PRAGMA synchronous = FULL')

  const migration = database.transaction(() => {
    const version = database.query<{ user_version: number }, []>('PRAGMA user_version').get()?.user_version ?? 0
    if (version > SCHEMA_VERSION) {
      throw new Error(`it has schema ${version}, this version knows ${SCHEMA_VERSION}; a newer version wrote it`)
    }
    if (version === 0) database.run(SCHEMA)
    database.run(`PRAGMA user_version = ${SCHEMA_VERSION}`)
  })
  migration.exclusive()
}
