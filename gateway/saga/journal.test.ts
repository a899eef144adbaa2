import { expect, test } from 'bun:test'
import { recordTelemetry } from '../../tests/support/recorded-telemetry.ts'
import { sagaOf } from '../../tests/support/saga-conformance.ts'
import { createVirtualClock } from '../../tests/support/virtual-clock.ts'
import { createJournal } from './journal.ts'
import { createMemorySagas } from './memory-sagas.ts'
import { createSagaNews } from './saga-news.ts'

const { draft } = sagaOf('some')
const WRITE = {
  part: 'a',
  upstream: 'a',
  request: { method: 'POST', path: '/', headers: [] },
  success: ['2xx'],
  refusals: [],
  compensation: {
    upstream: 'a',
    template: { method: 'DELETE', path: '/', query: {}, headers: {} },
    fields: [],
    values: {},
    ofReply: [],
    success: ['2xx'],
    whenUnknown: 'ask-again' as const,
    maxBody: 1_000,
  },
}

/** A saga whose first write has begun when it is decided that all is undone. */
async function openDecided() {
  const clock = createVirtualClock(0)
  const storage = createMemorySagas({ now: clock.now })
  const { log, metrics } = recordTelemetry()
  const journal = createJournal({
    storage,
    clock,
    random: () => 0,
    createId: () => 'saga',
    log,
    metrics,
    news: createSagaNews(),
    wake: () => {},
  })
  const saga = await journal.begin(draft)
  await saga.intend(WRITE)
  const undoing = saga.undo('a part failed', 0)
  await clock.advance(0)
  await undoing
  return { saga, storage }
}

test('what is noted after the decision to undo changes nothing that the undoer knows', async () => {
  const { saga, storage } = await openDecided()
  await storage.change('saga', (entry) => ({
    ...entry,
    writes: entry.writes.map((write) => ({ ...write, stage: 'done' as const })),
  }))
  await saga.note('a', { kind: 'not-done' })
  expect(await storage.find('saga')).toMatchObject({ state: 'undoing', writes: [{ part: 'a', stage: 'done' }] })
})

test('no write begins after the decision to undo', async () => {
  const { saga, storage } = await openDecided()
  await expect(saga.intend({ ...WRITE, part: 'b' })).rejects.toMatchObject({ code: 'overloaded' })
  expect((await storage.find('saga'))?.writes.map(({ part }) => part)).toEqual(['a'])
})
