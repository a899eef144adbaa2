import { beforeEach, describe, expect, test } from 'bun:test'
import { until } from '../../tests/support/real-time.ts'
import { recordTelemetry } from '../../tests/support/recorded-telemetry.ts'
import { createVirtualClock, type VirtualClock } from '../../tests/support/virtual-clock.ts'
import type { Journal, WriteDraft } from '../core/journal.ts'
import { createJournal } from './journal.ts'
import { createMemorySagas } from './memory-sagas.ts'
import { createSagaNews } from './saga-news.ts'
import type { SagaStorage } from './saga-storage.ts'

const DRAFT = { route: 'trips', method: 'POST', path: '/trips', withinMs: 60_000, identity: 'i' }

const write = (part: string): WriteDraft => ({
  part,
  upstream: part,
  request: { method: 'POST', path: '/bookings', headers: [] },
  success: ['2xx'],
  refusals: [],
  compensation: {
    upstream: part,
    template: { method: 'DELETE', path: '/bookings', query: {}, headers: {} },
    fields: [],
    values: {},
    ofReply: [],
    success: ['2xx'],
    whenUnknown: 'ask-again',
    maxBody: 1_000,
  },
})

describe('A journal on a slow disk', () => {
  let memory: SagaStorage
  let journal: Journal
  let clock: VirtualClock
  /** What the disk is still about, in the order in which it was told. */
  let waiting: (() => void)[]
  const sync = () => {
    for (const go of waiting.splice(0)) go()
  }

  beforeEach(() => {
    clock = createVirtualClock()
    memory = createMemorySagas({ now: clock.now })
    waiting = []
    const turn = () => new Promise<void>((resolve) => waiting.push(resolve))
    const storage: SagaStorage = {
      ...memory,
      add: (entry) => turn().then(() => memory.add(entry)),
      change: (id, change) => turn().then(() => memory.change(id, change)),
    }
    const { log, metrics } = recordTelemetry()
    const given = { storage, clock, random: () => 0, createId: () => 'saga', log, metrics, wake: () => {} }
    journal = createJournal({ ...given, news: createSagaNews() })
  })
  /** Syncs until that is done. */
  async function whileSyncing(work: Promise<unknown>): Promise<void> {
    let isDone = false
    const over = () => {
      isDone = true
    }
    work.then(over, over)
    await until('the end of it', async () => {
      sync()
      await clock.advance(1)
      return isDone
    })
    await work
  }

  test('makes a write wait for its intent, and the next part not for its outcome', async () => {
    const saga = await journal.begin(DRAFT)
    let isIntended = false
    const intended = saga.intend(write('a')).then(() => {
      isIntended = true
    })
    await saga.keysOf('a')
    expect(isIntended).toBe(false)
    await whileSyncing(intended)
    await saga.note('a', { kind: 'done', ofReply: {} })
    expect(await memory.find('saga')).toMatchObject({ writes: [{ stage: 'pending' }] })
    await whileSyncing(saga.intend(write('b')))
    expect(await memory.find('saga')).toMatchObject({ writes: [{ stage: 'done' }, { stage: 'pending' }] })
    await saga.note('b', { kind: 'done', ofReply: {} })
    await whileSyncing(saga.complete(new Set(['a', 'b'])))
    expect(await memory.counts()).toEqual({ open: 0, undoing: 0, parked: 0 })
  })

  test.each([
    { when: 'before it came to the disk', told: 1 },
    { when: 'while the disk was about it', told: 2 },
  ])('makes no write when it was decided to undo $when', async ({ told }) => {
    const saga = await journal.begin(DRAFT)
    await whileSyncing(saga.intend(write('a')))
    await saga.note('a', { kind: 'done', ofReply: {} })
    const late = saga.intend(write('b'))
    const refused = late.catch(({ code }) => code)
    await until('what the disk is told', () => waiting.length === told)
    await whileSyncing(saga.undo('the gateway failed', 0, []))
    expect(await refused).toBe('overloaded')
    expect(await memory.find('saga')).toMatchObject({ state: 'undoing', writes: [{ part: 'a', stage: 'done' }] })
  })

  test('forgets the first write when it was decided to undo before it was noted', async () => {
    const saga = await journal.begin(DRAFT)
    const late = saga.intend(write('a'))
    const refused = late.catch(({ code }) => code)
    await until('the disk is told', () => waiting.length === 1)
    await saga.undo('the gateway failed', 0, [])
    await whileSyncing(refused)
    expect(await refused).toBe('overloaded')
    expect(await memory.counts()).toEqual({ open: 0, undoing: 0, parked: 0 })
    expect(await memory.past('i')).toMatchObject({ kept: {}, undone: {} })
  })
})
