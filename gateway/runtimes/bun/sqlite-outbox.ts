import { Database } from 'bun:sqlite'
import { mkdirSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import {
  DEFAULT_OUTBOX_CAPACITY,
  type DueEvent,
  LEFT_WITHOUT_OUTCOME,
  type Outbox,
  OutboxClosedError,
  type OutboxCounts,
  type OutboxEntry,
  OutboxFullError,
  OutboxStateError,
} from '../../events/outbox.ts'
import { createGroupCommit } from './group-commit.ts'
import { migrate } from './sqlite-schema.ts'
import { type EntryRow, prepareStatements } from './sqlite-statements.ts'

export interface SqliteOutboxOptions {
  /** File of the database; its directory is made when missing. */
  readonly path: string
  /** The most entries it holds, default 100,000. */
  readonly capacity?: number
}

/**
 * An outbox in an SQLite file that survives a crash and a power loss: each write is synced to the disk before it
 * resolves. Intents that an earlier process left without an outcome are `unknown` once it is open. One process at a
 * time: throws when another one has the file, and when it cannot be opened.
 */
export function openSqliteOutbox({ path, capacity = DEFAULT_OUTBOX_CAPACITY }: SqliteOutboxOptions): Outbox {
  const database = openDatabase(path)
  const statements = prepareStatements(database)
  const group = createGroupCommit(database)

  statements.leavePending.run(LEFT_WITHOUT_OUTCOME)
  let size = statements.countAll.get()?.n ?? 0
  let sequence = statements.lastSequence.get()?.n ?? 0
  let closed = false

  const assertOpen = () => {
    if (closed) throw new OutboxClosedError()
  }
  const write = async (run: () => void) => {
    assertOpen()
    await group.write(run)
  }
  const promote = (subject: string | null) => {
    if (subject !== null) statements.promote.run(subject)
  }

  return {
    async intend(id, draft, atMs) {
      assertOpen()
      if (size >= capacity) throw new OutboxFullError(capacity)
      size++
      try {
        await write(() => {
          if (statements.intend.run(id, JSON.stringify(draft), atMs).changes === 0) {
            throw new OutboxStateError('note', id, 'new')
          }
        })
      } catch (error) {
        size--
        throw error
      }
    },

    async commit(id, { event, address, committedAtMs }) {
      const json = JSON.stringify(event)
      await write(() => {
        const { exchange, routingKey } = address
        const subject = event.subject ?? null
        const first = subject === null || statements.waitingSubject.get(subject) === null ? 1 : 0
        const row = [json, exchange, routingKey, subject, committedAtMs, ++sequence, first, id] as const
        if (statements.commit.run(...row).changes === 0) throw new OutboxStateError('commit', id, 'pending or unknown')
      })
    },

    async reject(id) {
      await write(() => {
        if (statements.reject.run(id).changes === 0) throw new OutboxStateError('reject', id, 'pending or unknown')
      })
      size--
    },

    async markUnknown(id, reason) {
      await write(() => {
        if (statements.markUnknown.run(reason, id).changes === 0) {
          throw new OutboxStateError('mark as unknown', id, 'pending')
        }
      })
    },

    async due(limit, busy) {
      assertOpen()
      return statements.due.all(JSON.stringify([...busy]), limit).map(toDueEvent)
    },

    async delivered(id) {
      let gone = false
      await write(() => {
        const row = statements.delivered.get(id)
        gone = row !== null
        if (row) promote(row.subject)
      })
      if (gone) size--
    },

    async park(id, reason) {
      await write(() => {
        const row = statements.park.get(reason, id)
        if (!row) throw new OutboxStateError('park', id, 'committed or unknown')
        promote(row.subject)
      })
    },

    async requeue(id) {
      await write(() => {
        const row = statements.requeue.get(++sequence, id)
        if (!row) throw new OutboxStateError('put back', id, 'parked with an event')
        if (row.subject === null) statements.setHead.run(id)
        else promote(row.subject)
      })
    },

    async counts() {
      assertOpen()
      const counts: Record<string, number> = {}
      for (const { state, n } of statements.countByState.all()) counts[state] = n
      const oldest = statements.oldest.get()?.committed_at_ms
      const { pending = 0, committed = 0, unknown = 0, parked = 0 } = counts
      const all: OutboxCounts = { pending, committed, unknown, parked }
      return oldest === undefined || oldest === null ? all : { ...all, oldestCommittedAtMs: oldest }
    },

    async list(state, limit) {
      assertOpen()
      return statements.list.all(state, limit).map(toEntry)
    },

    async close() {
      if (closed) return
      closed = true
      group.flush()
      // SQLite keeps the file, and its lock, until the last statement is gone.
      for (const statement of Object.values(statements)) statement.finalize()
      database.close(true)
    },
  }
}

function openDatabase(path: string): Database {
  const where = `Cannot open the outbox ${resolve(path)}`
  let database: Database | undefined
  try {
    mkdirSync(dirname(resolve(path)), { recursive: true })
    database = new Database(path, { create: true, strict: true })
    migrate(database)
    return database
  } catch (cause) {
    database?.close()
    const reason = cause instanceof Error ? cause.message : String(cause)
    const isLocked = reason.includes('locked')
    throw new Error(
      `${where}: ${isLocked ? 'another process uses it: is this gateway running already? If not, give each gateway a file of its own (services.outbox)' : reason}`,
      {
        cause,
      },
    )
  }
}

function toDueEvent(row: EntryRow): DueEvent {
  return {
    id: row.id,
    event: JSON.parse(row.event ?? 'null'),
    address: { exchange: row.exchange ?? '', routingKey: row.routing_key ?? '' },
    committedAtMs: row.committed_at_ms ?? 0,
  }
}

function toEntry(row: EntryRow): OutboxEntry {
  const { id, state, intended_at_ms: intendedAtMs, reason } = row
  const entry = { id, state, intendedAtMs, draft: JSON.parse(row.draft), ...(reason === null ? {} : { reason }) }
  return row.event === null ? entry : { ...entry, ...toDueEvent(row) }
}
