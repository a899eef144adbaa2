import type { Database } from 'bun:sqlite'
import { keepWriteAheadLog } from './sqlite-wal.ts'

/** Tells a store from every other SQLite file: "SlSt". */
const APPLICATION_ID = 0x536c_5374
const VERSION = 1

/**
 * `total` and `accounts` say what is held, expired items included; triggers keep them right within the transaction that
 * changes the items, so that several processes agree. Items are deleted and inserted, never updated.
 */
const SCHEMA = `
  CREATE TABLE items (
    key           TEXT NOT NULL PRIMARY KEY,
    value         TEXT NOT NULL,
    account       TEXT,
    bytes         INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX items_by_expiry ON items (expires_at_ms);

  CREATE TABLE total (entries INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;
  INSERT INTO total VALUES (0, 0);
  CREATE TABLE accounts (
    account TEXT NOT NULL PRIMARY KEY,
    entries INTEGER NOT NULL,
    bytes   INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TRIGGER item_added AFTER INSERT ON items BEGIN
    UPDATE total SET entries = entries + 1, bytes = bytes + new.bytes;
  END;
  CREATE TRIGGER item_booked AFTER INSERT ON items WHEN new.account IS NOT NULL BEGIN
    INSERT INTO accounts VALUES (new.account, 1, new.bytes)
      ON CONFLICT DO UPDATE SET entries = entries + 1, bytes = bytes + excluded.bytes;
  END;
  CREATE TRIGGER item_gone AFTER DELETE ON items BEGIN
    UPDATE total SET entries = entries - 1, bytes = bytes - old.bytes;
    UPDATE accounts SET entries = entries - 1, bytes = bytes - old.bytes WHERE account = old.account;
    DELETE FROM accounts WHERE account = old.account AND entries = 0;
  END;
`

/** How long the opening waits for the writes of other processes, in milliseconds; nobody is served in turn. */
const OPENING_MS = 10_000

/** Makes a new file a store, and checks that an old one is. Throws what is wrong with it. */
export function prepareStoreFile(database: Database): void {
  database.run(`PRAGMA busy_timeout = ${OPENING_MS}`)
  // Before anything is written: the file may be somebody else's.
  refuseForeign(database)
  keepWriteAheadLog(database)
  // What was promised to one client must still hold for it after a power loss.
  database.run('PRAGMA synchronous = FULL')
  const migration = database.transaction(() => {
    refuseForeign(database)
    const version = pragma(database, 'user_version')
    if (version > VERSION)
      throw new Error(`it has schema ${version}, this version knows ${VERSION}; a newer one wrote it`)
    if (version === 0) database.run(SCHEMA)
    database.run(`PRAGMA application_id = ${APPLICATION_ID}`)
    database.run(`PRAGMA user_version = ${VERSION}`)
  })
  migration.immediate()
  // From here on nobody waits inside SQLite, where the event loop would wait too.
  database.run('PRAGMA busy_timeout = 0')
}

function refuseForeign(database: Database): void {
  const isEmpty = database.query('SELECT 1 FROM sqlite_schema LIMIT 1').get() === null
  if (isEmpty || pragma(database, 'application_id') === APPLICATION_ID) return
  throw new Error('it is the database of something else (the outbox?): the store needs a file of its own')
}

function pragma(database: Database, name: 'application_id' | 'user_version'): number {
  return database.query<Record<string, number>, []>(`PRAGMA ${name}`).get()?.[name] ?? 0
}
