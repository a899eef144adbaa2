import type { Clock } from '../core/clock.ts'
import type { Compensation } from '../core/journal.ts'
import {
  COMPENSATION_STATES,
  type CompensationCall,
  type CompensationItem,
  type CompensationOperations,
  OperationRefused,
} from '../core/operations.ts'
import { parseTemplate } from '../core/template.ts'
import { nextToUndo, type SagaEntry, type StoredSagaState } from './saga-entry.ts'
import { type SagaCursor, SagaGoneError, type SagaStorage } from './saga-storage.ts'
import { isAskedAgain, upstreamOf } from './undo-attempt.ts'

export interface CompensationParts {
  readonly storage: SagaStorage
  readonly clock: Pick<Clock, 'now'>
  /** Called when a saga was put back, or is not to wait any longer. */
  readonly tryNow?: () => void
}

const PAGE = 100

/** What an operator may do with writes that are to be undone. */
export function createCompensationOperations({ storage, clock, tryNow }: CompensationParts): CompensationOperations {
  async function find(id: string): Promise<SagaEntry> {
    const found = await storage.find(id)
    if (found) return found
    const reason = `Nothing called "${id}" is to be undone: it is complete, undone or discarded, or this is not the whole id`
    throw new OperationRefused('not-found', reason)
  }

  async function putBack(id: string): Promise<void> {
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
  }

  async function* all(state: StoredSagaState): AsyncGenerator<SagaEntry> {
    let after: SagaCursor | undefined
    do {
      const page: readonly SagaEntry[] = await storage.list(state, PAGE, after)
      yield* page
      after = page.length < PAGE ? undefined : page.at(-1)
    } while (after)
  }

  /** False when it needs no more, because it is undone. */
  async function putBackUnlessUndone(id: string): Promise<boolean> {
    try {
      await putBack(id)
      return true
    } catch (error) {
      if (error instanceof OperationRefused && (await storage.find(id)) === undefined) return false
      throw error
    }
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
      await putBack(id)
      tryNow?.()
      const now = await storage.find(id)
      return now ? toItem(now) : { id, state: 'undone', writes: [] }
    },

    async retryAll() {
      const refused: { id: string; reason: string }[] = []
      const retryThese = async (state: 'parked' | 'undoing', isMeant: (entry: SagaEntry) => boolean) => {
        let done = 0
        for await (const entry of all(state)) {
          if (!isMeant(entry)) continue
          try {
            if (await putBackUnlessUndone(entry.id)) done++
          } catch (error) {
            if (!(error instanceof OperationRefused)) throw error
            refused.push({ id: entry.id, reason: error.message })
          }
        }
        return done
      }
      // What is found before the last one is put back must not wait for an upstream that is mended.
      tryNow?.()
      const broughtForward = await retryThese('undoing', ({ nextAtMs = 0 }) => nextAtMs > clock.now())
      const done = await retryThese('parked', () => true)
      tryNow?.()
      return { done, broughtForward, refused }
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
  const { id, state, draft, writes, reason, attempts, lastFailure } = entry
  const { beganAtMs, undoingSinceMs, parkedAtMs, nextAtMs } = entry
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
    next: nextCall(entry),
    attempts,
    lastFailure,
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

function nextCall(entry: SagaEntry): CompensationCall | undefined {
  const write = entry.state === 'undoing' ? nextToUndo(entry) : undefined
  if (!write?.compensation) return undefined
  const undoable = { entry, write, compensation: write.compensation }
  const kind = isAskedAgain(undoable) ? 'ask-again' : 'compensate'
  return { kind, part: write.part, upstream: upstreamOf(undoable) }
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
