import type { Database } from 'bun:sqlite'
import { resolve } from 'node:path'
import { openDatabaseFile } from './sqlite-open.ts'

/** How long the start waits for another process that has just opened or closed the same file, in milliseconds. */
const OPENING_PATIENCE_MS = 2_000

/** A file that several processes may share, and what is said about it when it cannot be opened. */
export interface SharedFile {
  readonly path: string
  /** Its name for people, such as "outbox", and the key of the configuration that names its path. */
  readonly name: string
  readonly key: string
  /** Brings the database to the present schema. */
  readonly migrate: (database: Database) => void
  /** What to look for in a damaged copy. */
  readonly lost: string
}

/**
 * Opens a file, made with its directory when missing, brings it to the present schema, and gives what `begin` makes of
 * it. Throws an error that names the file and says how to mend what is wrong.
 */
export function openSharedFile<Parts>(file: SharedFile, begin: (database: Database) => Parts): Parts {
  const { path, name, migrate } = file
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
    throw new Error(`Cannot open the ${name} ${resolve(path)}: ${explain(cause, file)}`, { cause })
  }
}

/** Finds pages that were overwritten or cut off before anything is promised on top of them. */
function assertSound(database: Database): void {
  const found = database.query<{ quick_check: string }, []>('PRAGMA quick_check(1)').get()?.quick_check
  if (found !== 'ok') throw Object.assign(new Error(found), { code: 'SQLITE_CORRUPT' })
}

function explain(cause: unknown, file: SharedFile): string {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const mend = MENDS.find(({ codes }) => codes.some((each) => code.startsWith(each)))
  return mend ? `${reason}; ${mend.how(file)}` : reason
}

const MENDS: readonly { readonly codes: readonly string[]; readonly how: (file: SharedFile) => string }[] = [
  {
    codes: ['SQLITE_BUSY', 'SQLITE_LOCKED'],
    how: () => 'another process keeps it to itself: a gateway of an older version, or a tool; end it first',
  },
  {
    codes: ['SQLITE_NOTADB'],
    how: ({ name, key }) => `it is some other file: give the ${name} a file of its own (${key})`,
  },
  {
    codes: ['SQLITE_CORRUPT'],
    how: ({ lost }) =>
      `the file is damaged: move it away together with its -wal and -shm files, start anew, and look through the copy with "sqlite3 FILE .recover" for ${lost}`,
  },
  {
    codes: ['SQLITE_FULL'],
    how: () => 'make room on its disk',
  },
  {
    codes: ['SQLITE_CANTOPEN', 'SQLITE_READONLY', 'SQLITE_PERM', 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST'],
    how: ({ key }) => `give the user of this process a directory it may write to (${key})`,
  },
]
