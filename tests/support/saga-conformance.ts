import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { NO_PAST, type SagaEntry } from '../../gateway/saga/saga-entry.ts'
import {
  JournalClosedError,
  SagaFullError,
  SagaGoneError,
  SagaInUseError,
  type SagaStorage,
} from '../../gateway/saga/saga-storage.ts'

/** A storage that holds at most five sagas, made anew for each test. */
export type CreateSagas = () => SagaStorage

const write = (part: string, stage: SagaEntry['writes'][number]['stage']) => ({
  part,
  stage,
  upstream: part,
  request: { method: 'POST', path: '/', headers: [] },
  success: ['2xx'],
  refusals: [],
})

/** A saga with one write under way. */
export function sagaOf(id: string, changes: Partial<SagaEntry> = {}, identity?: string): SagaEntry {
  const draft = {
    route: 'r',
    method: 'POST',
    path: '/',
    withinMs: 1_000,
    ...(identity === undefined ? {} : { identity }),
  }
  return {
    id,
    state: 'open',
    draft,
    past: NO_PAST,
    writes: [write('a', 'pending')],
    beganAtMs: 10,
    attempts: 0,
    ...changes,
  }
}

/** What every storage of sagas promises. */
export function testSagaStorage(create: CreateSagas): void {
  let sagas: SagaStorage
  beforeEach(() => {
    sagas = create()
  })
  afterEach(() => sagas.close())

  describe('a storage of sagas', () => {
    test('is told from every other by its id', async () => {
      const other = create()
      expect(sagas.id).not.toBe('')
      expect(other.id).not.toBe(sagas.id)
      await other.close()
    })

    test('finds what was added, and counts it', async () => {
      await sagas.add(sagaOf('1'))
      expect(await sagas.find('1')).toEqual(sagaOf('1'))
      expect(await sagas.find('2')).toBeUndefined()
      expect(await sagas.counts()).toEqual({ open: 1, undoing: 0, parked: 0 })
    })

    test('changes a saga in one step, and lets go of what is at its end', async () => {
      await sagas.add(sagaOf('1'))
      const lastFailure = { reason: 'status 500', atMs: 6 }
      const progress = { undoingSinceMs: 5, attempts: 2, lastFailure, nextAtMs: 7 }
      const undoing = sagaOf('1', { state: 'undoing', reason: 'x', ...progress })
      await sagas.change('1', (entry) => {
        expect(entry).toEqual(sagaOf('1'))
        return undoing
      })
      expect(await sagas.find('1')).toEqual(undoing)
      await sagas.change('1', (entry) => ({ ...entry, state: 'undone' }))
      expect(await sagas.find('1')).toBeUndefined()
      expect(await sagas.counts()).toEqual({ open: 0, undoing: 0, parked: 0 })
      await expect(sagas.change('1', (entry) => entry)).rejects.toBeInstanceOf(SagaGoneError)
    })

    test('leaves a saga as it was when its change throws', async () => {
      await sagas.add(sagaOf('1'))
      const failing = sagas.change('1', () => {
        throw new RangeError('no')
      })
      await expect(failing).rejects.toBeInstanceOf(RangeError)
      expect(await sagas.find('1')).toEqual(sagaOf('1'))
    })

    test('has one saga of an identity at a time', async () => {
      await sagas.add(sagaOf('1', {}, 'i'))
      const refused = await Promise.all(
        [sagas.past('i'), sagas.add(sagaOf('2', {}, 'i'))].map((work) => work.catch((error: unknown) => error)),
      )
      for (const error of refused) {
        expect(error).toBeInstanceOf(SagaInUseError)
        expect(error).toMatchObject({ holder: { id: '1', state: 'open' } })
      }
      await sagas.add(sagaOf('3', {}, 'j'))
      await sagas.change('1', (entry) => ({ ...entry, state: 'done' }))
      expect(await sagas.past('i')).toEqual(NO_PAST)
      await sagas.add(sagaOf('2', {}, 'i'))
    })

    test('remembers what was undone and what stands, and takes no saga that began before', async () => {
      const late = sagaOf('3', {}, 'i')
      await sagas.add(sagaOf('1', {}, 'i'))
      await sagas.change('1', (entry) => ({
        ...entry,
        state: 'undone',
        writes: [write('a', 'undone'), write('b', 'done')],
      }))
      const past = { undone: { a: 1 }, kept: {} }
      expect(await sagas.past('i')).toEqual(past)
      const refused = await sagas.add(late).catch((error: unknown) => error)
      expect(refused).toBeInstanceOf(SagaInUseError)
      expect(refused).toMatchObject({ holder: undefined })
      await sagas.add(sagaOf('2', { past }, 'i'))
      await sagas.change('2', (entry) => ({
        ...entry,
        state: 'done',
        writes: [{ ...write('a', 'kept'), fingerprint: 'print' }, write('b', 'undone')],
      }))
      expect(await sagas.past('i')).toEqual({ undone: { a: 1, b: 1 }, kept: { a: 'print' } })
    })

    test('refuses what it has no room for', async () => {
      for (const id of ['1', '2', '3', '4', '5']) await sagas.add(sagaOf(id))
      await expect(sagas.add(sagaOf('6'))).rejects.toBeInstanceOf(SagaFullError)
    })

    test('gives what is to be undone and due, oldest first', async () => {
      await sagas.add(sagaOf('open'))
      await sagas.add(sagaOf('new', { beganAtMs: 30 }))
      await sagas.add(sagaOf('old', { beganAtMs: 20 }))
      await sagas.add(sagaOf('later', { beganAtMs: 5 }))
      for (const id of ['new', 'old']) await sagas.change(id, (entry) => ({ ...entry, state: 'undoing' }))
      await sagas.change('later', (entry) => ({ ...entry, state: 'undoing', nextAtMs: 101 }))
      expect((await sagas.claim(10, 100)).map(({ id }) => id)).toEqual(['old', 'new'])
      expect((await sagas.claim(1, 101)).map(({ id }) => id)).toEqual(['later'])
    })

    test('lists by state, a page after the other', async () => {
      for (const id of ['c', 'a', 'b']) await sagas.add(sagaOf(id))
      const page = await sagas.list('open', 2)
      expect(page.map(({ id }) => id)).toEqual(['a', 'b'])
      expect((await sagas.list('open', 2, page[1])).map(({ id }) => id)).toEqual(['c'])
      expect(await sagas.list('parked', 2)).toEqual([])
    })

    test('takes nothing once it is closed', async () => {
      await sagas.close()
      await expect(sagas.add(sagaOf('1'))).rejects.toBeInstanceOf(JournalClosedError)
      await expect(sagas.counts()).rejects.toBeInstanceOf(JournalClosedError)
    })
  })
}
