import type { Dependency } from '../../admin/app.ts'
import type { Clock } from '../../core/clock.ts'
import type { Journal, SagaHook } from '../../core/journal.ts'
import type { CompensationOperations } from '../../core/operations.ts'
import type { AskUpstream } from '../../core/own-request.ts'
import type { Logger, Metrics } from '../../core/telemetry.ts'
import { createCompensationOperations } from '../../saga/compensation-operations.ts'
import { createJournal } from '../../saga/journal.ts'
import { createMemorySagas } from '../../saga/memory-sagas.ts'
import { createSagaNews } from '../../saga/saga-news.ts'
import { createUndoer, type Undoer } from '../../saga/undoer.ts'
import { openSqliteSagas } from './sqlite-sagas.ts'

export interface UndoingParts {
  readonly clock: Clock
  readonly random: () => number
  readonly createId: () => string
  readonly log: Logger
  readonly metrics: Metrics
  /** Told of the steps of every write. */
  readonly onStep?: SagaHook
}

/** The way of a write: journal, its storage, and who undoes. */
export interface Undoing {
  readonly journal: Journal
  readonly operations: CompensationOperations
  /** Begins to undo what earlier gateways left, through the upstreams of whatever configuration holds at the time. */
  start(ask: AskUpstream): void
  check(): Promise<Dependency>
  /** Sets the gauges that are read when somebody looks. */
  measure(): Promise<void>
  stop(): Promise<void>
}

const SQLITE = 'sqlite:'

/** Opens the journal. Throws when its file cannot be opened. */
export function openUndoing(place: string, parts: UndoingParts): Undoing {
  const { clock, metrics } = parts
  const storage = place.startsWith(SQLITE)
    ? openSqliteSagas({ path: place.slice(SQLITE.length), clock })
    : createMemorySagas({ now: clock.now })
  const news = createSagaNews()
  let undoer: Undoer | undefined
  const wake = () => undoer?.wake()
  return {
    journal: createJournal({ ...parts, storage, news, wake }),
    operations: createCompensationOperations({ storage, clock, tryNow: () => undoer?.tryNow() }),
    start(ask) {
      undoer ??= createUndoer({ ...parts, storage, news, ask })
      undoer.wake()
    },
    async check() {
      try {
        const { undoing, parked } = await storage.counts()
        return { name: 'journal', required: true, ok: true, detail: `${undoing} undoing, ${parked} parked` }
      } catch (error) {
        const detail = error instanceof Error ? error.message : String(error)
        return { name: 'journal', required: true, ok: false, detail }
      }
    },
    async measure() {
      metrics.gauge('sluice_compensations_parked', (await storage.counts()).parked)
    },
    async stop() {
      await undoer?.stop()
      await storage.close()
    },
  }
}
