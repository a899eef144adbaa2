import type { Database } from 'bun:sqlite'
import { keepWriteAheadLog } from './sqlite-wal.ts'

/** Tells a journal from every other SQLite file: "SlJo". */
const APPLICATION_ID = 0x536c_4a6f

/**
 * One row a saga; `entry` is the rest of it as JSON. `owner` is the process that has it, null for one that is parked.
 * `tallies` are kept right by the transactions that change sagas, so that several processes agree.
 */
const SCHEMA = `
  CREATE TABLE sagas (
    id               TEXT NOT NULL PRIMARY KEY,
    state            TEXT NOT NULL CHECK (state IN ('open', 'undoing', 'parked')),
    entry            TEXT NOT NULL,
    identity         TEXT UNIQUE,
    owner            TEXT,
    began_at_ms      INTEGER NOT NULL,
    undoing_since_ms INTEGER,
    next_at_ms       INTEGER,
    reason           TEXT
  ) STRICT;
  CREATE INDEX sagas_by_state ON sagas (state, began_at_ms, id);

  CREATE TABLE pasts (
    number   INTEGER NOT NULL PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE,
    past     TEXT NOT NULL,
    at_ms    INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE leases (
    name    TEXT NOT NULL PRIMARY KEY,
    holder  TEXT NOT NULL,
    process TEXT NOT NULL,
    beat    INTEGER NOT NULL,
    ttl_ms  REAL NOT NULL
  ) STRICT;

  CREATE TABLE tallies (state TEXT NOT NULL PRIMARY KEY, n INTEGER NOT NULL) STRICT;
  INSERT INTO tallies VALUES ('open', 0), ('undoing', 0), ('parked', 0);
  CREATE TRIGGER tally_added AFTER INSERT ON sagas BEGIN
    UPDATE tallies SET n = n + 1 WHERE state = NEW.state;
  END;
  CREATE TRIGGER tally_gone AFTER DELETE ON sagas BEGIN
    UPDATE tallies SET n = n - 1 WHERE state = OLD.state;
  END;
  CREATE TRIGGER tally_moved AFTER UPDATE OF state ON sagas WHEN NEW.state <> OLD.state BEGIN
    UPDATE tallies SET n = n - 1 WHERE state = OLD.state;
    UPDATE tallies SET n = n + 1 WHERE state = NEW.state;
  END;
`

const IDENTITY = `
  CREATE TABLE journal (id TEXT NOT NULL) STRICT;
  INSERT INTO journal VALUES (lower(hex(randomblob(16))));
`

/** What each version has added, the first first. */
const VERSIONS = [SCHEMA, IDENTITY]
const VERSION = VERSIONS.length

/** Brings a database to the present schema, in one transaction, so that several processes may start at once. */
export function migrateSagas(database: Database): void {
  keepWriteAheadLog(database)
  // Without FULL a write-ahead log is synced at checkpoints only, and a power loss takes acknowledged writes with it.
  database.run('PRAGMA synchronous = FULL')
  database
    .transaction(() => {
      const id = pragma(database, 'application_id')
      const version = pragma(database, 'user_version')
      const isEmpty = !database.query('SELECT 1 FROM sqlite_schema LIMIT 1').get()
      if (!isEmpty && id !== APPLICATION_ID) {
        throw new Error('it is a database of another program; give the journal a file of its own (services.journal)')
      }
      if (version > VERSION) {
        throw new Error(
          `it has schema ${version}, this version knows ${VERSION}; a newer version wrote it: use that, or another file`,
        )
      }
      if (version === VERSION) return
      for (const change of VERSIONS.slice(version)) database.run(change)
      database.run(`PRAGMA application_id = ${APPLICATION_ID}`)
      database.run(`PRAGMA user_version = ${VERSION}`)
    })
    .immediate()
}

function pragma(database: Database, name: string): number {
  return Object.values(database.query<Record<string, number>, []>(`PRAGMA ${name}`).get() ?? {})[0] ?? 0
}
