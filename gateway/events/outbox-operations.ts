import type { Clock } from '../core/clock.ts'
import {
  ENTRY_STATES,
  OperationRefused,
  type OutboxItem,
  type OutboxItemEvent,
  type OutboxOperations,
} from '../core/operations.ts'
import { type ListCursor, type Outbox, type OutboxEntry, OutboxStateError, type Receipt } from './outbox.ts'
import type { Relay } from './relay.ts'

export interface OutboxOperationsParts {
  readonly outbox: Outbox
  readonly clock: Pick<Clock, 'now'>
  /** Says why a committed event waits, where a relay runs that knows. */
  readonly waiting?: Relay['waiting']
  /** Called when an entry is unknown that is not to wait any longer. */
  readonly tryNow?: () => void
}

const PAGE = 100

/** What an operator may do with an outbox. Relay and settler find what was put back by themselves. */
export function createOutboxOperations(parts: OutboxOperationsParts): OutboxOperations {
  const { outbox, clock, waiting, tryNow } = parts

  const toItem = (found: OutboxEntry | Receipt, whole = false): OutboxItem => {
    const item = itemOf(found, whole)
    if (found.state !== 'committed' || !found.event || !found.address) return item
    return { ...item, ...waiting?.({ id: found.id, event: found.event, address: found.address }) }
  }

  async function find(id: string): Promise<OutboxEntry | Receipt> {
    const found = await outbox.find(id)
    if (found) return found
    throw new OperationRefused('not-found', `The outbox has no entry "${id}": it was delivered, rejected or discarded`)
  }

  async function retry(id: string): Promise<void> {
    const found = await find(id)
    const nowMs = clock.now()
    if (found.state === 'parked') return putBack(found)
    if (found.state === 'unknown' && found.draft.settlement) {
      const { attempts, reason = '' } = found
      return asOperation(() => outbox.postpone(id, { attempts, nextAtMs: nowMs, reason }))
    }
    throw new OperationRefused('wrong-state', `Cannot retry "${id}": ${WHY_NOT[found.state]}`)
  }

  async function putBack({ id, event, draft }: OutboxEntry): Promise<void> {
    if (!event && !draft.settlement) {
      throw new OperationRefused('wrong-state', `Cannot retry "${id}": ${NOTHING_TO_RETRY}`)
    }
    await asOperation(() => outbox.requeue(id, clock.now()))
  }

  return {
    async list({ state, limit }) {
      const { pending, committed, unknown, parked } = await outbox.counts()
      const entries: OutboxEntry[] = []
      for (const each of state ? [state] : ENTRY_STATES) {
        if (entries.length < limit) entries.push(...(await outbox.list(each, limit - entries.length)))
      }
      return { counts: { parked, unknown, committed, pending }, entries: entries.map((entry) => toItem(entry)) }
    },

    async show(id) {
      return toItem(await find(id), true)
    },

    async retry(id) {
      await retry(id)
      const found = await find(id)
      if (found.state === 'unknown') tryNow?.()
      return toItem(found)
    },

    async retryAll() {
      const refused: { id: string; reason: string }[] = []
      let done = 0
      let after: ListCursor | undefined
      for (;;) {
        const page = await outbox.list('parked', PAGE, after)
        // Asked for in their order and together, a page shares one sync of the disk.
        const reasons = await Promise.all(page.map((entry) => putBack(entry).then(() => undefined, reasonOf)))
        for (const [i, { id }] of page.entries()) {
          const reason = reasons[i]
          if (reason === undefined) done++
          else refused.push({ id, reason })
        }
        after = page.at(-1)
        if (after && page.length === PAGE) continue
        if (done > 0) tryNow?.()
        return { done, refused }
      }
    },

    async discard(id) {
      const { state } = await find(id)
      if (state !== 'parked' && state !== 'unknown') {
        throw new OperationRefused('wrong-state', `Cannot discard "${id}": ${WHY_NOT[state]}`)
      }
      await asOperation(() => outbox.discard(id))
    },
  }
}

const NOTHING_TO_RETRY =
  'it has neither an event nor a way to ask the service; find out there whether its request was accepted, then discard it'

const WHY_NOT = {
  parked: 'it is parked',
  unknown: 'it cannot be settled by asking again, and is parked by itself',
  pending: 'its request is still running',
  committed: 'it waits for the broker, and is sent by itself',
  delivered: 'the broker has it',
} as const

/** Somebody else may have been faster, or an entry may lack what it would take. */
async function asOperation(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (cause) {
    if (!(cause instanceof OutboxStateError)) throw cause
    throw new OperationRefused('wrong-state', cause.message, { cause })
  }
}

/** Why one of many was refused. What is no refusal ends them all. */
function reasonOf(error: unknown): string {
  if (error instanceof OperationRefused) return error.message
  throw error
}

function itemOf(found: OutboxEntry | Receipt, whole: boolean): OutboxItem {
  if (found.state === 'delivered') return found
  const { id, state, draft, reason, attempts, intendedAtMs, committedAtMs, parkedAtMs, nextAtMs } = found
  const { route, method, path, caller, idempotencyKey, traceparent, settlement } = draft
  const item = {
    id,
    state,
    route,
    method,
    path: path.split('?', 1)[0],
    caller,
    idempotencyKey,
    traceparent,
    reason,
    attempts,
    intendedAtMs,
    committedAtMs,
    parkedAtMs,
    nextAtMs,
    event: toItemEvent(found, whole),
    settlement: settlement && { mode: settlement.mode, upstream: settlement.upstream },
  }
  return present(item)
}

function toItemEvent({ event, address }: OutboxEntry, whole: boolean): OutboxItemEvent | undefined {
  if (!event || !address) return undefined
  const { id, type, subject, time, data } = event
  return present({ id, type, subject, time, ...address, data: whole ? data : undefined })
}

type Present<Fields> = { [Name in keyof Fields]: Exclude<Fields[Name], undefined> }

/** The fields that have a value. */
function present<Fields extends object>(fields: Fields): Present<Fields> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<Fields>
}
