import type { Database } from 'bun:sqlite'
import type { Clock } from '../../core/clock.ts'
import type { IntentDraft } from '../../core/events.ts'
import {
  DEFAULT_OUTBOX_CAPACITY,
  type DueEvent,
  isRemembered,
  LONGEST_POSTPONEMENT_MS,
  type Outbox,
  OutboxClosedError,
  OutboxFullError,
  OutboxStateError,
  PUT_BACK,
} from '../../events/outbox.ts'
import { createGroupCommit } from './group-commit.ts'
import { retryWhileBusy } from './sqlite-busy.ts'
import { openSharedFile } from './sqlite-file.ts'
import { createLeases } from './sqlite-leases.ts'
import { startOwner } from './sqlite-owner.ts'
import { mergeDue, toCounts, toEntry, toReceipt } from './sqlite-rows.ts'
import { migrate } from './sqlite-schema.ts'
import { prepareStatements } from './sqlite-statements.ts'
import { systemClock } from './system-clock.ts'

export interface SqliteOutboxOptions {
  /** File of the database; its directory is made when missing. */
  readonly path: string
  /** The most entries it holds, default 100,000. */
  readonly capacity?: number
  readonly clock?: Clock
}

/**
 * An outbox in an SQLite file that survives a crash and a power loss: each write is synced to the disk before it
 * resolves. Several processes of one machine may share it. Intents that a process left without an outcome are
 * `unknown` once it is gone, which is seen at once, or silent for 10 s. Throws when the file cannot be opened.
 */
export function openSqliteOutbox(options: SqliteOutboxOptions): Outbox {
  const { path, capacity = DEFAULT_OUTBOX_CAPACITY, clock = systemClock } = options
  const { database, statements, group, leases, owner } = openSharedFile(
    { path, name: 'outbox', key: 'services.outbox', migrate, lost: 'orders that have no event yet' },
    (opened) => begin(opened, clock),
  )
  let closed = false

  const assertOpen = () => {
    if (closed) throw new OutboxClosedError()
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
  const promote = (subject: string | null) => {
    if (subject !== null) statements.promote.run(subject)
  }
  const nextSequence = () => statements.nextSequence.get()?.n ?? 0

  const note = (id: string, draft: string, atMs: number) => {
    const receipt = statements.receipt.get(id)
    if (receipt && isRemembered(toReceipt(receipt), atMs)) throw new OutboxStateError('note', id, 'new')
    if ((statements.size.get()?.n ?? 0) >= capacity) throw new OutboxFullError(capacity)
    if (statements.intend.run(id, draft, atMs, owner.id).changes === 0) throw new OutboxStateError('note', id, 'new')
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

    async due(limit, busy, withheld) {
      const ids = JSON.stringify([...busy])
      return await read(() => {
        const addresses = statements.addresses.all().filter(({ address }) => !withheld?.has(address))
        return mergeDue(
          addresses.flatMap(({ address }) => statements.due.all(address, ids, limit)),
          limit,
        )
      })
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

    async unsettled(limit, nowMs, inHand) {
      const [ids, upstreams] = [
        JSON.stringify([...(inHand?.ids ?? [])]),
        JSON.stringify([...(inHand?.upstreams ?? [])]),
      ]
      const latestMs = nowMs + LONGEST_POSTPONEMENT_MS
      return await read(() => statements.unsettled.all(nowMs, latestMs, ids, upstreams, limit).map(toEntry))
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
      return await read(() => {
        const row = statements.find.get(id)
        if (row) return toEntry(row)
        const receipt = statements.receipt.get(id)
        return receipt ? toReceipt(receipt) : undefined
      })
    },

    async counts() {
      return await read(() => {
        const rows = statements.countByState.all()
        return toCounts(rows, statements.oldest.get()?.committed_at_ms)
      })
    },

    async list(state, limit, after) {
      const { intendedAtMs, id } = after ?? { intendedAtMs: Number.MIN_SAFE_INTEGER, id: '' }
      return await read(() => statements.list.all(state, intendedAtMs, id, limit).map(toEntry))
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
      // What waits already is stored before this; a disk that takes nothing must not keep the process from ending.
      await owner.end().catch(() => {})
      // SQLite keeps the file, and its lock, until the last statement is gone.
      for (const statement of [...Object.values(statements), leases]) statement.finalize()
      database.close(true)
    },
  }
}

/** Name of the one lease there is for delivery. */
const RELAY = 'relay'

function begin(database: Database, clock: Clock) {
  const statements = prepareStatements(database)
  const group = createGroupCommit(database, clock)
  const leases = createLeases(database)
  const owner = startOwner({
    leases,
    write: group.write,
    writeNow: (run) => database.transaction(run).immediate(),
    clock,
    leavePending: statements.leavePending,
  })
  return { database, statements, group, leases, owner }
}
