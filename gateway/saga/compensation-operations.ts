import type { Clock } from '../core/clock.ts'
import type { Compensation } from '../core/journal.ts'
import {
  COMPENSATION_STATES,
  type CompensationItem,
  type CompensationOperations,
  OperationRefused,
} from '../core/operations.ts'
import { parseTemplate } from '../core/template.ts'
import type { SagaEntry } from './saga-entry.ts'
import { type SagaCursor, SagaGoneError, type SagaStorage } from './saga-storage.ts'

export interface CompensationParts {
  readonly storage: SagaStorage
  readonly clock: Pick<Clock, 'now'>
  /** Called when a saga was put back. */
  readonly wake?: () => void
}

const PAGE = 100

/** What an operator may do with writes that are to be undone. */
export function createCompensationOperations({ storage, clock, wake }: CompensationParts): CompensationOperations {
  async function find(id: string): Promise<SagaEntry> {
    const found = await storage.find(id)
    if (found) return found
    const reason = `Nothing called "${id}" is to be undone: it is complete, undone or discarded, or this is not the whole id`
    throw new OperationRefused('not-found', reason)
  }

  async function retry(id: string): Promise<void> {
    const { state } = await find(id)
    if (state === 'open') throw new OperationRefused('wrong-state', `Cannot retry "${id}": ${OPEN}`)
    await asOperation(() =>
      storage.change(id, ({ parkedAtMs: _, nextAtMs: __, ...entry }) => {
        if (entry.state === 'undoing') return entry
        const writes = entry.writes.map(({ stuck: ___, ...write }) => write)
        const nowMs = clock.now()
        return { ...entry, state: 'undoing', writes, attempts: 0, undoingSinceMs: nowMs, requeuedAtMs: nowMs }
      }),
    )
    wake?.()
  }

  return {
    async list({ state, limit }) {
      const counts = await storage.counts()
      const entries: SagaEntry[] = []
      for (const each of state ? [state] : COMPENSATION_STATES) {
        if (entries.length < limit) entries.push(...(await storage.list(each, limit - entries.length)))
      }
      return { counts, sagas: entries.map(toItem) }
    },

    async show(id) {
      return toItem(await find(id))
    },

    async retry(id) {
      await retry(id)
      const now = await storage.find(id)
      return now ? toItem(now) : { id, state: 'undone', writes: [] }
    },

    async retryAll() {
      const refused: { id: string; reason: string }[] = []
      let done = 0
      let after: SagaCursor | undefined
      for (;;) {
        const page = await storage.list('parked', PAGE, after)
        for (const { id } of page) {
          try {
            await retry(id)
            done++
          } catch (error) {
            if (!(error instanceof OperationRefused)) throw error
            refused.push({ id, reason: error.message })
          }
        }
        after = page.at(-1)
        if (!after || page.length < PAGE) return { done, refused }
      }
    },

    async discard(id) {
      const { state } = await find(id)
      if (state !== 'parked') {
        const why = state === 'open' ? OPEN : 'it is being undone; it is parked when that cannot be'
        throw new OperationRefused('wrong-state', `Cannot discard "${id}": ${why}`)
      }
      await asOperation(() => storage.change(id, (entry) => ({ ...entry, state: 'undone' })))
    },
  }
}

const OPEN = 'its request is still running'

/** Somebody else may have been faster. */
async function asOperation(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (cause) {
    if (!(cause instanceof SagaGoneError)) throw cause
    throw new OperationRefused('wrong-state', `${cause.message}: it is gone, or another gateway is about it`, { cause })
  }
}

function toItem(entry: SagaEntry): CompensationItem {
  const { id, state, draft, writes, reason, attempts, beganAtMs, undoingSinceMs, parkedAtMs, nextAtMs } = entry
  const { route, method, path, caller, idempotencyKey, requestId, traceparent } = draft
  const item = {
    id,
    state,
    route,
    method,
    path,
    caller,
    idempotencyKey,
    requestId,
    traceparent,
    reason,
    attempts,
    beganAtMs,
    undoingSinceMs,
    parkedAtMs,
    nextAtMs,
    writes: writes.map((write) =>
      present({
        part: write.part,
        stage: write.stage,
        upstream: write.upstream,
        request: `${write.request.method} ${write.request.path.split('?', 1)[0]}`,
        key: write.request.headers.find(([name]) => name === 'idempotency-key')?.[1],
        reason: write.stuck ?? write.reason,
        isStuck: write.stuck === undefined ? undefined : true,
        undoneBy: write.compensation && worded(write.compensation),
      }),
    ),
  }
  return present(item)
}

/** With the ids the services gave, by which to undo it by hand; what the client sent stays a name in braces. */
function worded({ template, values, upstream }: Compensation): string {
  const pieces = parseTemplate(template.path).pieces.map((piece) => {
    if (typeof piece === 'string') return piece
    const value = piece.root === 'parts' || piece.root === 'write' ? values[piece.source] : undefined
    return isPlain(value) ? encodeURIComponent(value) : `{${piece.source}}`
  })
  return `${template.method} ${pieces.join('').split('?', 1)[0]} at upstream "${upstream}"`
}

function isPlain(value: unknown): value is string | number {
  return typeof value === 'string' ? value.isWellFormed() : typeof value === 'number'
}

type Present<Fields> = { [Name in keyof Fields]: Exclude<Fields[Name], undefined> }

/** The fields that have a value. */
function present<Fields extends object>(fields: Fields): Present<Fields> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<Fields>
}
