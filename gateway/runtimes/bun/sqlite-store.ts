import type { Database } from 'bun:sqlite'
import { resolve } from 'node:path'
import type { Clock } from '../../core/clock.ts'
import { type Store, StoreUnavailable, type Term } from '../../core/store.ts'
import { answerWithin } from '../../services/store/answer-within.ts'
import { DEFAULT_ROOM, ENTRY_BYTES, type Load, lackOfRoom, minus, NO_LOAD, plus } from '../../services/store/room.ts'
import { createGroupCommit } from './group-commit.ts'
import { retryWhileBusy } from './sqlite-busy.ts'
import { openDatabaseFile } from './sqlite-open.ts'
import { prepareStoreFile } from './sqlite-store-schema.ts'

export interface SqliteStoreOptions {
  /** File of the database; its directory is made when missing. */
  readonly path: string
  readonly clock: Clock
  /** Default 100,000. */
  readonly maximumEntries?: number
  /** Upper bound for keys and values together. Default 64 MiB. */
  readonly maximumBytes?: number
  /** How long a request waits for other processes that write before the store counts as unavailable. Default 1,000. */
  readonly timeoutMs?: number
}

/** A store in a file, to be closed. */
export interface SqliteStore extends Store {
  close(): void
}

interface Item {
  readonly value: string
  readonly account: string | null
  readonly bytes: number
}

/** Expired items dropped with every write, so that none stay for long though nobody asks for them. */
const SWEPT_BY_THE_WAY = 16
/** Expired items dropped at a time when room is wanted, and how many times before a write goes without. */
const SWEPT_FOR_ROOM = { items: 256, times: 16 }

/**
 * A store in an SQLite file, which survives a crash and a power loss, and which several processes of one machine may
 * share: each write is synced to the disk before it resolves, and the writes of one turn share a sync. Bounded as the
 * memory store is. Throws when the file cannot be opened or is the database of something else.
 */
export function openSqliteStore({
  path,
  clock,
  maximumEntries = DEFAULT_ROOM.entries,
  maximumBytes = DEFAULT_ROOM.bytes,
  timeoutMs = 1_000,
}: SqliteStoreOptions): SqliteStore {
  const room: Load = { entries: maximumEntries, bytes: maximumBytes }
  const database = openDatabase(path)
  const statements = prepareStatements(database)
  const group = createGroupCommit(database)
  let closed = false

  /** Runs in a transaction of its own or with others, and gives back what it found. */
  async function change<Found>(run: (nowMs: number) => Found): Promise<Found> {
    let found: { readonly value: Found } | undefined
    await attempt(() =>
      group.write(() => {
        found = { value: run(clock.now()) }
      }),
    )
    if (!found) throw new StoreUnavailable('The store lost a write')
    return found.value
  }

  async function attempt<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    if (closed) throw new StoreUnavailable('The store is closed')
    return answerWithin(clock, timeoutMs, ask)
  }

  /** Why there was no room, or undefined once it is written. What takes no more room than it had is always taken. */
  function put(key: string, value: string, { ttlMs, account }: Term, nowMs: number): string | undefined {
    statements.dropExpired.run(nowMs, SWEPT_BY_THE_WAY)
    const bytes = ENTRY_BYTES + Buffer.byteLength(key) + Buffer.byteLength(value)
    const before = statements.get.get(key, nowMs)
    const freed = before ? { entries: 1, bytes: before.bytes } : NO_LOAD
    const lack =
      bytes <= freed.bytes ? undefined : makeRoom(minus({ entries: 1, bytes }, freed), account ?? null, nowMs)
    if (lack !== undefined) return lack
    statements.delete.run(key)
    statements.insert.run(key, value, account ?? null, bytes, nowMs + ttlMs)
    return undefined
  }

  function makeRoom(added: Load, account: string | null, nowMs: number): string | undefined {
    for (let times = 0; ; times++) {
      const total = plus(statements.total.get() ?? NO_LOAD, added)
      const own = account === null ? undefined : plus(statements.account.get(account) ?? NO_LOAD, added)
      const lack = lackOfRoom({ total, account: own }, room)
      if (lack === undefined || times === SWEPT_FOR_ROOM.times) return lack
      if (statements.dropExpired.run(nowMs, SWEPT_FOR_ROOM.items).changes === 0) return lack
    }
  }

  return {
    get: (key) => attempt(() => retryWhileBusy(clock, () => statements.get.get(key, clock.now())?.value)),

    async set(key, value, ttlMs) {
      refuse(await change((nowMs) => put(key, value, { ttlMs }, nowMs)))
    },

    async putIfAbsent(key, value, term) {
      const { present, lack } = await change((nowMs): { present?: string; lack?: string | undefined } => {
        const item = statements.get.get(key, nowMs)
        return item ? { present: item.value } : { lack: put(key, value, term, nowMs) }
      })
      refuse(lack)
      return present
    },

    async replace(key, expected, value, ttlMs) {
      const { replaced, lack } = await change((nowMs): { replaced: boolean; lack?: string | undefined } => {
        const item = statements.get.get(key, nowMs)
        if (item?.value !== expected) return { replaced: false }
        return { replaced: true, lack: put(key, value, { ttlMs, account: item.account ?? undefined }, nowMs) }
      })
      refuse(lack)
      return replaced
    },

    remove: (key, expected) =>
      change((nowMs) => {
        if (statements.get.get(key, nowMs)?.value !== expected) return false
        statements.delete.run(key)
        return true
      }),

    close() {
      if (closed) return
      group.flush()
      closed = true
      // SQLite keeps the file until the last statement is gone.
      for (const statement of Object.values(statements)) statement.finalize()
      database.close(true)
    },
  }
}

function refuse(lack: string | undefined): void {
  if (lack !== undefined) throw new StoreUnavailable(lack)
}

function openDatabase(path: string): Database {
  let database: Database | undefined
  try {
    database = openDatabaseFile(path)
    prepareStoreFile(database)
    return database
  } catch (cause) {
    database?.close()
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`Cannot open the store ${resolve(path)}: ${reason}; change services.store`, { cause })
  }
}

type Row = (string | number | null)[]

/** Every statement of the store, compiled once. */
function prepareStatements(database: Database) {
  return {
    get: database.prepare<Item, [key: string, nowMs: number]>(
      'SELECT value, account, bytes FROM items WHERE key = ? AND expires_at_ms > ?',
    ),
    insert: database.prepare<null, Row>('INSERT INTO items VALUES (?, ?, ?, ?, ?)'),
    delete: database.prepare<null, [key: string]>('DELETE FROM items WHERE key = ?'),
    dropExpired: database.prepare<null, [nowMs: number, limit: number]>(
      `DELETE FROM items WHERE rowid IN
         (SELECT rowid FROM items WHERE expires_at_ms <= ? ORDER BY expires_at_ms LIMIT ?)`,
    ),
    total: database.prepare<Load, []>('SELECT entries, bytes FROM total'),
    account: database.prepare<Load, [account: string]>('SELECT entries, bytes FROM accounts WHERE account = ?'),
  }
}
