import type { Database } from 'bun:sqlite'
import { keepWriteAheadLog } from './sqlite-wal.ts'

/**
 * One row an entry. `sequence` is the order of commitment. `head` marks the first committed entry of each subject,
 * so that finding what is due never reads past the events that wait behind another one.
 */
const ENTRIES = `
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

/**
 * `owner` is the process that has a pending entry. `totals` is one row, kept right by the transactions that change it,
 * so that several processes agree. A holder shows that it lives by counting `beat` up.
 */
const SEVERAL_PROCESSES = `
  ALTER TABLE entries ADD COLUMN owner TEXT;
  ALTER TABLE entries ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE entries ADD COLUMN next_at_ms INTEGER;
  ALTER TABLE entries ADD COLUMN parked_at_ms INTEGER;
  ALTER TABLE entries ADD COLUMN requeued_at_ms INTEGER;

  CREATE TABLE totals (size INTEGER NOT NULL, sequence INTEGER NOT NULL) STRICT;
  INSERT INTO totals SELECT count(*), coalesce(max(sequence), 0) FROM entries;
  CREATE TRIGGER entry_added AFTER INSERT ON entries BEGIN UPDATE totals SET size = size + 1; END;
  CREATE TRIGGER entry_gone AFTER DELETE ON entries BEGIN UPDATE totals SET size = size - 1; END;

  CREATE TABLE receipts (
    number          INTEGER NOT NULL PRIMARY KEY,
    id              TEXT NOT NULL UNIQUE,
    delivered_at_ms INTEGER NOT NULL,
    caller          TEXT
  ) STRICT;

  CREATE TABLE leases (
    name    TEXT NOT NULL PRIMARY KEY,
    holder  TEXT NOT NULL,
    process TEXT NOT NULL,
    beat    INTEGER NOT NULL,
    ttl_ms  REAL NOT NULL
  ) STRICT;
`

/**
 * Finding what is due by address, and counting, without reading the outbox. Exchange and routing key are parted by a
 * character that neither has.
 */
const LARGE_BACKLOGS = `
  ALTER TABLE entries ADD COLUMN address TEXT GENERATED ALWAYS AS (exchange || char(31) || routing_key) VIRTUAL;
  CREATE INDEX entries_due_by_address ON entries (address, sequence) WHERE head = 1;

  CREATE TABLE tallies (state TEXT NOT NULL PRIMARY KEY, n INTEGER NOT NULL) STRICT;
  INSERT INTO tallies VALUES ('pending', 0), ('committed', 0), ('unknown', 0), ('parked', 0);
  UPDATE tallies SET n = (SELECT count(*) FROM entries WHERE entries.state = tallies.state);
  CREATE TRIGGER tally_added AFTER INSERT ON entries BEGIN
    UPDATE tallies SET n = n + 1 WHERE state = NEW.state;
  END;
  CREATE TRIGGER tally_gone AFTER DELETE ON entries BEGIN
    UPDATE tallies SET n = n - 1 WHERE state = OLD.state;
  END;
  CREATE TRIGGER tally_moved AFTER UPDATE OF state ON entries WHEN NEW.state <> OLD.state BEGIN
    UPDATE tallies SET n = n - 1 WHERE state = OLD.state;
    UPDATE tallies SET n = n + 1 WHERE state = NEW.state;
  END;
`

/** What makes each version out of the one before; the first out of nothing. */
const MIGRATIONS = [ENTRIES, SEVERAL_PROCESSES, LARGE_BACKLOGS]

/** Brings a database to the present schema, in one transaction, so that several processes may start at once. */
export function migrate(database: Database): void {
  assertOurs(database)
  keepWriteAheadLog(database)
  // Without FULL a write-ahead log is synced at checkpoints only, and a power loss takes acknowledged writes with it.
  database.run('PRAGMA synchronous = FULL')

  const migration = database.transaction(() => {
    const version = versionOf(database)
    if (version > MIGRATIONS.length) {
      throw new Error(
        `it has schema ${version}, this version knows ${MIGRATIONS.length}; a newer version wrote it: use that, or another file`,
      )
    }
    for (const step of MIGRATIONS.slice(version)) database.run(step)
    if (version < MIGRATIONS.length) database.run(`PRAGMA user_version = ${MIGRATIONS.length}`)
  })
  migration.immediate()
}

/** A database of another program is left as it is. */
function assertOurs(database: Database): void {
  const tables = database.query<{ name: string }, []>(`SELECT name FROM sqlite_schema WHERE type = 'table'`).all()
  const names = tables.map(({ name }) => name)
  if (names.length > 0 && !names.includes('entries')) {
    throw new Error(
      `it is a database of another program (it has the table "${names[0]}"); give the outbox a file of its own (services.outbox)`,
    )
  }
}

function versionOf(database: Database): number {
  return database.query<{ user_version: number }, []>('PRAGMA user_version').get()?.user_version ?? 0
}
