import { Database } from 'bun:sqlite'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/** For its user, and for the group as far as the umask goes. */
const MODE = 0o660

/**
 * Opens a database, made with its directory when missing. A new one can be read by no other user of the machine, since
 * what clients sent lies in it; its log inherits that from SQLite.
 */
export function openDatabaseFile(path: string): Database {
  mkdirSync(dirname(resolve(path)), { recursive: true })
  try {
    closeSync(openSync(path, 'wx', MODE))
  } catch {
    // It is there already, or SQLite says why it cannot be.
  }
  return new Database(path, { create: true, strict: true })
}
