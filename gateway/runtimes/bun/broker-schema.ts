import type { Database } from 'bun:sqlite'

/** "SLBR": tells the broker's files from those of any other program. */
const APPLICATION_ID = 0x534c4252
const SCHEMA_VERSION = 1

/**
 * Messages are found by position, which only grows, so that new ones are written next to each other. `queue` is the
 * number of a queue, never used again: what a deleted queue has left behind belongs to no later one of its name.
 */
const SCHEMA = `
  CREATE TABLE exchanges (
    name        TEXT NOT NULL PRIMARY KEY,
    declaration TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE queues (
    id           INTEGER NOT NULL PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    declaration  TEXT NOT NULL,
    delivered_to INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE TABLE bindings (
    exchange    TEXT NOT NULL,
    queue       INTEGER NOT NULL,
    routing_key TEXT NOT NULL,
    PRIMARY KEY (exchange, queue, routing_key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE messages (
    position      INTEGER NOT NULL PRIMARY KEY,
    queue         INTEGER NOT NULL,
    exchange      TEXT NOT NULL,
    routing_key   TEXT NOT NULL,
    properties    BLOB NOT NULL,
    is_persistent INTEGER NOT NULL,
    expires_at_ms INTEGER,
    returns       INTEGER NOT NULL DEFAULT 0,
    body          BLOB NOT NULL
  ) STRICT;
  CREATE TABLE probe (id INTEGER NOT NULL PRIMARY KEY, room BLOB NOT NULL) STRICT;
`

/** Brings a database to the present schema, in one transaction that also proves that nobody else has the file. */
export function prepareBrokerDatabase(database: Database): void {
  database.run('PRAGMA locking_mode = EXCLUSIVE')
  database.run('PRAGMA journal_mode = WAL')
  // Without FULL a write-ahead log is synced at checkpoints only, and a power loss takes confirmed messages with it.
  database.run('PRAGMA synchronous = FULL')
  database.run('PRAGMA journal_size_limit = 67108864')

  const preparation = database.transaction(() => {
    const application = pragma(database, 'application_id')
    const version = pragma(database, 'user_version')
    if (application === APPLICATION_ID && version <= SCHEMA_VERSION) return
    if (application === APPLICATION_ID) {
      throw new Error(
        `a newer version wrote it (schema ${version}, this one knows ${SCHEMA_VERSION}): start that version, or move the file away to begin with an empty one`,
      )
    }
    const tables = database.query<{ n: number }, []>('SELECT count(*) AS n FROM sqlite_master').get()?.n ?? 0
    if (application !== 0 || version !== 0 || tables > 0) {
      throw new Error('it is the database of something else: name another file in services.broker')
    }
    database.run(SCHEMA)
    database.run(`PRAGMA application_id = ${APPLICATION_ID}`)
    database.run(`PRAGMA user_version = ${SCHEMA_VERSION}`)
  })
  preparation.exclusive()
}

function pragma(database: Database, name: 'application_id' | 'user_version'): number {
  return database.query<Record<string, number>, []>(`PRAGMA ${name}`).get()?.[name] ?? 0
}
