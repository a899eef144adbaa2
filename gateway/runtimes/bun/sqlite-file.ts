import type { Database } from 'bun:sqlite'
import { resolve } from 'node:path'
import { openDatabaseFile } from './sqlite-open.ts'
import { migrate } from './sqlite-schema.ts'

/** How long the start waits for another process that has just opened or closed the same file, in milliseconds. */
const OPENING_PATIENCE_MS = 2_000

/**
 * Opens the file of an outbox, made with its directory when missing, brings it to the present schema, and gives what
 * `begin` makes of it. Throws an error that names the file and says how to mend what is wrong.
 */
export function openOutboxFile<Parts>(path: string, begin: (database: Database) => Parts): Parts {
  let database: Database | undefined
  try {
    database = openDatabaseFile(path)
    database.run(`PRAGMA busy_timeout = ${OPENING_PATIENCE_MS}`)
    migrate(database)
    assertSound(database)
    const parts = begin(database)
    // From here on nobody waits inside SQLite, where the event loop would wait too.
    database.run('PRAGMA busy_timeout = 0')
    return parts
  } catch (cause) {
    database?.close()
    throw new Error(`Cannot open the outbox ${resolve(path)}: ${explain(cause)}`, { cause })
  }
}

/** Finds pages that were overwritten or cut off before anything is promised on top of them. */
function assertSound(database: Database): void {
  const found = database.query<{ quick_check: string }, []>('PRAGMA quick_check(1)').get()?.quick_check
  if (found !== 'ok') throw Object.assign(new Error(found), { code: 'SQLITE_CORRUPT' })
}

function explain(cause: unknown): string {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const mend = MENDS.find(({ codes }) => codes.some((each) => code.startsWith(each)))
  return mend ? `${reason}; ${mend.how}` : reason
}

const MENDS: readonly { readonly codes: readonly string[]; readonly how: string }[] = [
  {
    codes: ['SQLITE_BUSY', 'SQLITE_LOCKED'],
    how: 'another process keeps it to itself: a gateway of an older version, or a tool; end it first',
  },
  {
    codes: ['SQLITE_NOTADB'],
    how: 'it is some other file: give the outbox a file of its own (services.outbox)',
  },
  {
    codes: ['SQLITE_CORRUPT'],
    how: 'the file is damaged: move it away together with its -wal and -shm files, start anew, and look through the copy with "sqlite3 FILE .recover" for orders that have no event yet',
  },
  {
    codes: ['SQLITE_FULL'],
    how: 'make room on its disk',
  },
  {
    codes: ['SQLITE_CANTOPEN', 'SQLITE_READONLY', 'SQLITE_PERM', 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST'],
    how: 'give the user of this process a directory it may write to (services.outbox)',
  },
]
