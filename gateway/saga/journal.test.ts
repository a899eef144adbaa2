import { expect, test } from 'bun:test'
import { recordTelemetry } from '../../tests/support/recorded-telemetry.ts'
import { sagaOf } from '../../tests/support/saga-conformance.ts'
import { deletionAt } from '../../tests/support/undoer-scene.ts'
import { createVirtualClock } from '../../tests/support/virtual-clock.ts'
import { createJournal } from './journal.ts'
import { createMemorySagas } from './memory-sagas.ts'
import { createSagaNews } from './saga-news.ts'
import type { SagaStorage } from './saga-storage.ts'

const { draft } = sagaOf('some')
const WRITE = {
  part: 'a',
  upstream: 'a',
  request: { method: 'POST', path: '/', headers: [] },
  success: ['2xx'],
  refusals: [],
  compensation: deletionAt('a'),
}

/** A saga whose first write has begun when it is decided that all is undone, which cannot be noted so many times. */
async function openDecided(failures = 0) {
  const clock = createVirtualClock(0)
  const memory = createMemorySagas({ now: clock.now })
  let left = failures
  const storage: SagaStorage = {
    ...memory,
    change: async (id, change) => {
      if (left-- > 0) throw new Error('disk is full')
      await memory.change(id, change)
    },
  }
  let woken = 0
  const { log, metrics } = recordTelemetry()
  const journal = createJournal({
    storage,
    clock,
    random: () => 0,
    createId: () => 'saga',
    log,
    metrics,
    news: createSagaNews(),
    wake: () => {
      woken++
    },
  })
  const saga = await journal.begin(draft)
  await saga.intend(WRITE)
  const undoing = saga.undo('a part failed', 0, [])
  await clock.advance(0)
  await undoing
  return { saga, storage, clock, wokenTimes: () => woken }
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

test('a decision that could not be noted is noted later, and the undoer is told', async () => {
  const { storage, clock, wokenTimes } = await openDecided(2)
  expect([await storage.counts(), wokenTimes()]).toEqual([{ open: 1, undoing: 0, parked: 0 }, 0])
  await clock.advance(249)
  expect(wokenTimes()).toBe(0)
  await clock.advance(1)
  expect(wokenTimes()).toBe(0)
  await clock.advance(500)
  expect([await storage.counts(), wokenTimes()]).toEqual([{ open: 0, undoing: 1, parked: 0 }, 1])
})
