import type { OwnRequest } from '../../gateway/core/own-request.ts'
import { createCompensationOperations } from '../../gateway/saga/compensation-operations.ts'
import { createMemorySagas } from '../../gateway/saga/memory-sagas.ts'
import type { JournalWrite, SagaEntry } from '../../gateway/saga/saga-entry.ts'
import { createSagaNews } from '../../gateway/saga/saga-news.ts'
import { createUndoer } from '../../gateway/saga/undoer.ts'
import { recordTelemetry } from './recorded-telemetry.ts'
import { sagaOf } from './saga-conformance.ts'
import { createVirtualClock } from './virtual-clock.ts'

const [SOME_WRITE] = sagaOf('some').writes

/** A write that is done, at the upstream of its name, undone by a `DELETE`. */
export function writeTo(part: string, changes: Partial<JournalWrite> = {}): JournalWrite {
  if (!SOME_WRITE) throw new Error('There is no write')
  return { ...SOME_WRITE, part, upstream: part, stage: 'done', compensation: deletionAt(part), ...changes }
}

/** Undoes a write by a `DELETE` that reads nothing. */
export function deletionAt(upstream: string) {
  return {
    upstream,
    template: { method: 'DELETE', path: '/', query: {}, headers: {} },
    fields: [],
    values: {},
    ofReply: [],
    success: ['2xx'],
    whenUnknown: 'ask-again' as const,
    maxBody: 1_000,
  }
}

/** A saga that began at the time 0, is to be undone and may be tried for a minute. */
export function toUndo(id: string, writes: readonly JournalWrite[], attempts = 0): SagaEntry {
  const draft = { ...sagaOf('some').draft, withinMs: 60_000 }
  return sagaOf(id, { draft, writes, state: 'undoing', beganAtMs: 0, attempts })
}

type Ask = (upstream: string, request: OwnRequest, nth: number) => Response | Promise<Response>

/** Has sagas undone, which began at the time 0 and may be tried for a minute; each pause is the longest unless chance is given. */
export async function openUndoer(sagas: readonly (readonly JournalWrite[])[], ask: Ask, random = () => 0) {
  const clock = createVirtualClock(0)
  const storage = createMemorySagas({ now: clock.now })
  for (const [i, writes] of sagas.entries()) await storage.add(toUndo(`${i}`, writes))
  const { log, metrics, lines } = recordTelemetry()
  /** Whom it has asked for what, and when in seconds. */
  const asked: string[] = []
  const undoer = createUndoer({
    storage,
    clock,
    random,
    log,
    metrics,
    news: createSagaNews(),
    ask: async (upstream, request) => {
      asked.push(`${clock.now() / 1_000} ${request.method} ${upstream}`)
      return await ask(upstream, request, asked.filter((each) => each.endsWith(` ${upstream}`)).length)
    },
  })
  const operations = createCompensationOperations({ storage, clock, tryNow: undoer.tryNow })
  undoer.wake()
  await clock.advance(0)
  return { clock, storage, undoer, operations, asked, lines, left: () => storage.counts() }
}
