import type { SagaHook } from '../../gateway/core/journal.ts'
import { createJournal } from '../../gateway/saga/journal.ts'
import { createMemorySagas } from '../../gateway/saga/memory-sagas.ts'
import { createSagaNews } from '../../gateway/saga/saga-news.ts'
import type { SagaStorage } from '../../gateway/saga/saga-storage.ts'
import { createUndoer, type Undoer } from '../../gateway/saga/undoer.ts'
import { createTestGateway, TEST_START, type TestGatewayOptions } from './gateway.ts'
import { recordTelemetry } from './recorded-telemetry.ts'
import { createVirtualClock, type VirtualClock } from './virtual-clock.ts'

export interface SagaGatewayOptions extends TestGatewayOptions {
  readonly onStep?: SagaHook
  /** Instead of one of its own in memory: what an earlier gateway has left. */
  readonly storage?: SagaStorage
  readonly clock?: VirtualClock
}

/** A test gateway with a journal in memory and an undoer. */
export async function createSagaGateway({ onStep, ...given }: SagaGatewayOptions) {
  const clock = given.clock ?? createVirtualClock(TEST_START)
  const storage = given.storage ?? createMemorySagas({ now: clock.now })
  const telemetry = recordTelemetry()
  const { log, metrics } = telemetry
  let ids = 0
  let undoer: Undoer | undefined
  const parts = {
    storage,
    clock,
    random: given.services?.random ?? (() => 0),
    createId: () => `saga-${++ids}`,
    log,
    metrics,
    news: createSagaNews(),
    wake: () => undoer?.wake(),
    ...(onStep && { onStep }),
  }
  const journal = createJournal(parts)
  const gateway = await createTestGateway({ ...given, services: { ...given.services, clock, journal } })
  undoer = createUndoer({ ...parts, ask: gateway.ask })
  return { gateway, clock, storage, undoer, telemetry }
}
