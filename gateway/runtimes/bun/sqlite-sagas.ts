import type { Database } from 'bun:sqlite'
import type { Clock } from '../../core/clock.ts'
import { isEmptyPast, isStored, NO_PAST, type Past, pastAfter, type SagaEntry } from '../../saga/saga-entry.ts'
import {
  DEFAULT_SAGA_CAPACITY,
  JournalClosedError,
  LEFT_OPEN,
  PAST_MS,
  type SagaCounts,
  SagaFullError,
  SagaGoneError,
  SagaInUseError,
  type SagaStorage,
} from '../../saga/saga-storage.ts'
import { createGroupCommit } from './group-commit.ts'
import { retryWhileBusy } from './sqlite-busy.ts'
import { openSharedFile } from './sqlite-file.ts'
import { createLeases } from './sqlite-leases.ts'
import { startOwner } from './sqlite-owner.ts'
import { migrateSagas } from './sqlite-saga-schema.ts'
import { prepareSagaStatements, toJson, toSaga } from './sqlite-saga-statements.ts'
import { systemClock } from './system-clock.ts'

export interface SqliteSagasOptions {
  /** File of the database; its directory is made when missing. */
  readonly path: string
  /** The most sagas it holds, default 100,000. */
  readonly capacity?: number
  readonly clock?: Clock
}

/**
 * Sagas in an SQLite file that survive a crash and a power loss: each write is synced to the disk before it resolves.
 * Several processes of one machine may share it. What a process left open is undone by another, or by itself when it
 * is started again: at once when it can be seen that it is gone, else after 10 s of silence. Throws when the file cannot
 * be opened.
 */
export function openSqliteSagas(options: SqliteSagasOptions): SagaStorage {
  const { path, capacity = DEFAULT_SAGA_CAPACITY, clock = systemClock } = options
  const file = { path, name: 'journal', key: 'services.journal', migrate: migrateSagas, lost: LOST }
  const { id, database, statements, group, leases, owner } = openSharedFile(file, (opened) => begin(opened, clock))
  const self = owner.id
  let closed = false

  const assertOpen = () => {
    if (closed) throw new JournalClosedError()
  }
  const write = async (run: () => void) => {
    assertOpen()
    await group.write(run)
  }
  const read = async <Result>(run: () => Result) => {
    assertOpen()
    return await retryWhileBusy(clock, () => {
      assertOpen()
      return run()
    })
  }

  const pastOf = (identity: string): string => {
    const holder = statements.holder.get(identity)
    if (holder) throw new SagaInUseError(toSaga(holder))
    return statements.past.get(identity, clock.now() - PAST_MS)?.past ?? JSON.stringify(NO_PAST)
  }
  const countAll = (): SagaCounts => {
    const counts = { open: 0, undoing: 0, parked: 0 }
    for (const { state, n } of statements.counts.all()) counts[state] = n
    return counts
  }
  const keepPast = (identity: string, past: Past) => {
    statements.forgetPast.run(identity)
    if (isEmptyPast(past)) return
    const nowMs = clock.now()
    const kept = statements.keepPast.get(identity, JSON.stringify(past), nowMs)
    statements.dropPasts.run(kept?.number ?? 0, nowMs)
  }
  const replace = (entry: SagaEntry) => {
    const { id, state, undoingSinceMs = null, nextAtMs = null, reason = null } = entry
    const holder = state === 'parked' ? null : self
    statements.replace.run(state, toJson(entry), holder, undoingSinceMs, nextAtMs, reason, id)
  }

  return {
    id,

    async add(entry) {
      const json = toJson(entry)
      const { identity = null } = entry.draft
      await write(() => {
        if (identity !== null && pastOf(identity) !== JSON.stringify(entry.past)) throw new SagaInUseError()
        const { open, undoing, parked } = countAll()
        if (open + undoing + parked >= capacity) throw new SagaFullError(capacity)
        statements.add.run(entry.id, entry.state, json, identity, self, entry.beganAtMs)
      })
    },

    async change(id, change) {
      await write(() => {
        const row = statements.findFree.get({ id, self })
        if (!row) throw new SagaGoneError(id)
        const changed = change(toSaga(row))
        if (isStored(changed)) return replace(changed)
        statements.remove.run(id)
        if (row.identity !== null) keepPast(row.identity, pastAfter(changed))
      })
    },

    async past(identity) {
      return JSON.parse(await read(() => pastOf(identity)))
    },

    async claim(limit, nowMs) {
      const due = await read(() => statements.due.all({ self, nowMs, limit }))
      if (due.length === 0) return []
      const claimed: SagaEntry[] = []
      const ids = JSON.stringify(due.map(({ id }) => id))
      await write(() => {
        claimed.push(...statements.claim.all({ ids, self, nowMs }).map(toSaga))
      })
      return claimed.sort((a, b) => a.beganAtMs - b.beganAtMs || (a.id < b.id ? -1 : 1))
    },

    async find(id) {
      return await read(() => {
        const row = statements.find.get(id)
        return row ? toSaga(row) : undefined
      })
    },

    async counts() {
      return await read(countAll)
    },

    async list(state, limit, after) {
      const { beganAtMs, id } = after ?? { beganAtMs: Number.MIN_SAFE_INTEGER, id: '' }
      return await read(() => statements.list.all(state, beganAtMs, id, limit).map(toSaga))
    },

    async close() {
      if (closed) return
      closed = true
      // What waits already is stored before this; a disk that takes nothing must not keep the process from ending.
      await owner.end().catch(() => {})
      // SQLite keeps the file, and its lock, until the last statement is gone.
      for (const statement of [...Object.values(statements), leases]) statement.finalize()
      database.close(true)
    },
  }
}

const LOST = 'bookings that are neither complete nor undone'

function begin(database: Database, clock: Clock) {
  const statements = prepareSagaStatements(database)
  const id = statements.identify.get()?.id ?? ''
  const group = createGroupCommit(database, clock)
  const leases = createLeases(database)
  const owner = startOwner({
    leases,
    write: group.write,
    writeNow: (run) => database.transaction(run).immediate(),
    clock,
    leavePending: { run: () => statements.leaveOpen.run(LEFT_OPEN) },
  })
  return { id, database, statements, group, leases, owner }
}
