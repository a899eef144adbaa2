import { Database, SQLiteError } from 'bun:sqlite'
import { mkdirSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { reasonOf } from './failures.ts'

/**
 * `inbox`: events that took effect. `outgoing`: events owed to the broker, in order. `deferred`: events that wait in a
 * delay queue, in the order in which their subject has to be handled.
 */
const TABLES = `
  CREATE TABLE IF NOT EXISTS inbox (
    source        TEXT NOT NULL,
    id            TEXT NOT NULL,
    type          TEXT NOT NULL,
    subject       TEXT,
    handled_at_ms INTEGER NOT NULL,
    PRIMARY KEY (source, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS inbox_by_age ON inbox (handled_at_ms);
  CREATE TABLE IF NOT EXISTS outgoing (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    subject  TEXT NOT NULL,
    event    TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS deferred (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    queue    TEXT NOT NULL,
    subject  TEXT NOT NULL,
    source   TEXT NOT NULL,
    id       TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    UNIQUE (queue, source, id)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS deferred_by_subject ON deferred (queue, subject, position);
`

/** A locked database is waited for in the background; this only rides out the shortest locks. */
const BUSY_TIMEOUT_MS = 50
/** After a crash whoever comes first repairs the file, and that may be a reader. */
const OPEN_TIMEOUT_MS = 5_000

/**
 * Of several processes that open a new file at the same moment SQLite refuses some at once, whatever their `busy_timeout`
 * says: they try again until then.
 */
function keepWriteAheadLog(database: Database, untilMs: number): void {
  for (;;) {
    try {
      database.run('PRAGMA journal_mode = WAL')
      return
    } catch (error) {
      const isBusy = error instanceof SQLiteError && error.code?.startsWith('SQLITE_BUSY')
      if (!isBusy || performance.now() >= untilMs) throw error
    }
    Bun.sleepSync(5)
  }
}

/**
 * Opens a service's database, with the kit's tables beside the service's own. Every commit is on the disk before it
 * returns. `:memory:` for one that is gone with the process.
 */
export function openDatabase(path: string): Database {
  try {
    if (path !== ':memory:') mkdirSync(dirname(resolve(path)), { recursive: true })
    const database = new Database(path, { create: true, strict: true })
    database.run(`PRAGMA busy_timeout = ${OPEN_TIMEOUT_MS}`)
    keepWriteAheadLog(database, performance.now() + OPEN_TIMEOUT_MS)
    database.run('PRAGMA synchronous = FULL')
    database.run(TABLES)
    database.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
    return database
  } catch (cause) {
    throw new Error(`Cannot open the database ${resolve(path)}: ${reasonOf(cause)}`, { cause })
  }
}
