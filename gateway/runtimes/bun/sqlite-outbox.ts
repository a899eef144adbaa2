import { Database } from 'bun:sqlite'
import { mkdirSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { IntentDraft } from '../../core/events.ts'
import {
  DEFAULT_OUTBOX_CAPACITY,
  type DueEvent,
  LEFT_WITHOUT_OUTCOME,
  type Outbox,
  OutboxClosedError,
  type OutboxCounts,
  OutboxFullError,
  OutboxStateError,
  PUT_BACK,
} from '../../events/outbox.ts'
import { createGroupCommit } from './group-commit.ts'
import { createLeases } from './sqlite-leases.ts'
import { toDueEvent, toEntry, toReceipt } from './sqlite-rows.ts'
import { migrate } from './sqlite-schema.ts'
import { prepareStatements } from './sqlite-statements.ts'

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

  const leases = createLeases(database)
  let closed = false

  statements.leavePending.run(LEFT_WITHOUT_OUTCOME)

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
  const nextSequence = () => statements.nextSequence.get()?.n ?? 0

  const note = (id: string, draft: string, atMs: number) => {
    if (statements.receipt.get(id)) throw new OutboxStateError('note', id, 'new')
    if ((statements.size.get()?.n ?? 0) >= capacity) throw new OutboxFullError(capacity)
    if (statements.intend.run(id, draft, atMs).changes === 0) throw new OutboxStateError('note', id, 'new')
  }
  const makeDue = (id: string, json: string, { event, address, committedAtMs }: Omit<DueEvent, 'id'>) => {
    const subject = event.subject ?? null
    const first = subject === null || statements.waitingSubject.get(subject) === null ? 1 : 0
    const { exchange, routingKey } = address
    const row = [json, exchange, routingKey, subject, committedAtMs, nextSequence(), first, id] as const
    if (statements.commit.run(...row).changes === 0) throw new OutboxStateError('commit', id, 'pending or unknown')
  }
  const park = (id: string, reason: string, atMs: number) => {
    const row = statements.park.get(reason, atMs, id)
    if (!row) throw new OutboxStateError('park', id, 'committed or unknown')
    promote(row.subject)
  }

  return {
    async intend(id, draft, atMs) {
      const json = JSON.stringify(draft)
      await write(() => note(id, json, atMs))
    },

    async add({ id, ...due }, draft) {
      const [draftJson, eventJson] = [JSON.stringify(draft), JSON.stringify(due.event)]
      await write(() => {
        note(id, draftJson, due.committedAtMs)
        makeDue(id, eventJson, due)
      })
    },

    async commit(id, due) {
      const json = JSON.stringify(due.event)
      await write(() => makeDue(id, json, due))
    },

    async withhold(id, due, reason) {
      const json = JSON.stringify(due.event)
      await write(() => {
        makeDue(id, json, due)
        park(id, reason, due.committedAtMs)
      })
    },

    async reject(id) {
      await write(() => {
        if (statements.reject.run(id).changes === 0) throw new OutboxStateError('reject', id, 'pending or unknown')
      })
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

    async delivered(id, atMs) {
      await write(() => {
        const row = statements.delivered.get(id)
        if (!row) return
        promote(row.subject)
        const { caller }: IntentDraft = JSON.parse(row.draft)
        const receipt = statements.keepReceipt.get(id, atMs, caller ?? null)
        statements.dropReceipts.run(receipt?.number ?? 0, atMs)
      })
    },

    async unsettled(limit, nowMs) {
      assertOpen()
      return statements.unsettled.all(nowMs, limit).map(toEntry)
    },

    async postpone(id, { attempts, nextAtMs, reason }) {
      await write(() => {
        if (statements.postpone.run(attempts, nextAtMs, reason, id).changes === 0) {
          throw new OutboxStateError('postpone', id, 'unknown')
        }
      })
    },

    async park(id, reason, atMs) {
      await write(() => park(id, reason, atMs))
    },

    async requeue(id, atMs) {
      await write(() => {
        const row = statements.requeue.get(nextSequence(), atMs, id)
        if (row?.subject === null) statements.setHead.run(id)
        else if (row) promote(row.subject)
        else if (statements.doubtAgain.run(PUT_BACK, atMs, id).changes === 0) {
          throw new OutboxStateError('put back', id, 'parked with an event or a settlement')
        }
      })
    },

    async discard(id) {
      await write(() => {
        if (statements.discard.run(id).changes === 0) throw new OutboxStateError('discard', id, 'parked or unknown')
      })
    },

    async find(id) {
      assertOpen()
      const row = statements.find.get(id)
      if (row) return toEntry(row)
      const receipt = statements.receipt.get(id)
      return receipt ? toReceipt(receipt) : undefined
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

    async list(state, limit, after) {
      assertOpen()
      const { intendedAtMs, id } = after ?? { intendedAtMs: Number.MIN_SAFE_INTEGER, id: '' }
      return statements.list.all(state, intendedAtMs, id, limit).map(toEntry)
    },

    async acquireLease(holder, ttlMs, nowMs) {
      let isHolder = false
      await write(() => {
        isHolder = leases.acquire({ name: RELAY, holder, ttlMs }, nowMs)
      })
      return isHolder
    },

    async releaseLease(holder) {
      await write(() => leases.release(RELAY, holder))
    },

    async close() {
      if (closed) return
      closed = true
      group.flush()
      // SQLite keeps the file, and its lock, until the last statement is gone.
      for (const statement of [...Object.values(statements), leases]) statement.finalize()
      database.close(true)
    },
  }
}

/** Name of the one lease there is for delivery. */
const RELAY = 'relay'

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
