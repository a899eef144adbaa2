import { describe, expect, test } from 'bun:test'
import { sagaOf } from '../../tests/support/saga-conformance.ts'
import { openUndoer, toUndo, writeTo } from '../../tests/support/undoer-scene.ts'
import { GatewayError } from '../core/errors.ts'
import { SagaGoneError } from './saga-storage.ts'

const done = (status = 204) => new Response(null, { status })
const NOTHING = { open: 0, undoing: 0, parked: 0 }

/** What network code adds to an error. */
const refusedConnection = () => {
  const cause = Object.assign(new Error('connect failed'), { code: 'ECONNREFUSED' })
  throw new GatewayError('upstream-unreachable', { cause })
}

describe('an operator', () => {
  test('is told which call fails, how, and how often it was tried', async () => {
    const { clock, operations } = await openUndoer([[writeTo('a'), writeTo('b')]], (upstream) =>
      upstream === 'b' ? done(500) : done(),
    )
    await clock.advance(1_500)
    expect(await operations.show('0')).toMatchObject({
      state: 'undoing',
      next: { kind: 'compensate', part: 'b', upstream: 'b' },
      attempts: 2,
      lastFailure: { reason: 'status 500', atMs: 1_000 },
      nextAtMs: 3_000,
    })
  })

  test('is told of the next call once one has succeeded, and nothing more of that', async () => {
    const unknown = writeTo('b', { stage: 'unknown', upstream: 'books' })
    const { clock, operations } = await openUndoer([[unknown]], (_upstream, { method }, nth) => {
      if (method === 'POST') return nth === 1 ? refusedConnection() : done(201)
      return nth === 1 ? done(503) : done()
    })
    expect(await operations.show('0')).toMatchObject({
      next: { kind: 'ask-again', part: 'b', upstream: 'books' },
      attempts: 1,
      lastFailure: { reason: 'upstream-unreachable: ECONNREFUSED', atMs: 0 },
    })
    await clock.advance(1_000)
    expect(await operations.show('0')).toMatchObject({
      next: { kind: 'compensate', part: 'b', upstream: 'b' },
      attempts: 1,
      lastFailure: { reason: 'status 503', atMs: 1_000 },
    })
  })

  test('is told of one that was not tried, since its upstream failed another', async () => {
    const { clock, storage, undoer, operations } = await openUndoer([[writeTo('a')]], () => done(500))
    await storage.add(toUndo('other', [writeTo('a')]))
    undoer.wake()
    await clock.advance(0)
    const shown = await operations.show('other')
    expect(shown).toMatchObject({ next: { kind: 'compensate', part: 'a' }, attempts: 0, nextAtMs: 1_000 })
    expect(shown).not.toHaveProperty('lastFailure')
  })

  test('is told of no next call where all is decided, or nothing yet', async () => {
    const { clock, storage, operations } = await openUndoer([[writeTo('a')]], (_upstream, _request, nth) =>
      done(nth === 1 ? 500 : 422),
    )
    await clock.advance(1_000)
    const parked = await operations.show('0')
    expect(parked).toMatchObject({ state: 'parked', reason: 'a: the upstream refuses to undo it: status 422' })
    await storage.add({ ...toUndo('running', [writeTo('a', { stage: 'pending' })]), state: 'open' })
    for (const shown of [parked, await operations.show('running')]) {
      expect(shown).not.toHaveProperty('next')
      expect(shown).not.toHaveProperty('lastFailure')
    }
  })

  test('has one tried at once that waits, though its upstream is left in peace', async () => {
    const { clock, operations, asked, left } = await openUndoer([[writeTo('a')]], (_upstream, _request, nth) =>
      nth === 1 ? new Response(null, { status: 503, headers: { 'retry-after': '50' } }) : done(),
    )
    await clock.advance(10_000)
    await operations.retry('0')
    await clock.advance(0)
    expect(asked).toEqual(['0 DELETE a', '10 DELETE a'])
    expect(await left()).toEqual(NOTHING)
  })

  test('has all tried at once that wait or are parked, and leaves alone what is under way', async () => {
    let isMended = false
    const sagas = ['a', 'a', 'b', 'hanging'].map((upstream) => [writeTo(upstream)])
    const { clock, storage, operations, asked, left } = await openUndoer(sagas, (upstream) => {
      if (upstream === 'hanging') return new Promise<Response>(() => {})
      if (isMended) return done()
      return upstream === 'a' ? new Response(null, { status: 503, headers: { 'retry-after': '50' } }) : done(422)
    })
    await storage.add(sagaOf('running'))
    await clock.advance(10_000)
    expect(await left()).toEqual({ open: 1, undoing: 3, parked: 1 })
    isMended = true
    const before = asked.length
    expect(await operations.retryAll()).toEqual({ done: 1, broughtForward: 2, refused: [] })
    await clock.advance(0)
    expect(asked.slice(before).sort()).toEqual(['10 DELETE a', '10 DELETE a', '10 DELETE b'])
    expect(await left()).toEqual({ open: 1, undoing: 1, parked: 0 })
  })

  test('has one tried too that is found before the others are put back', async () => {
    let isMended = false
    const sagas = ['a', 'a'].map((upstream) => [writeTo(upstream)])
    const { clock, storage, undoer, operations, left } = await openUndoer(sagas, () =>
      isMended ? done() : new Response(null, { status: 503, headers: { 'retry-after': '50' } }),
    )
    isMended = true
    const { change } = storage
    storage.change = async (...wish) => {
      await change(...wish)
      undoer.wake()
      await clock.advance(0)
    }
    await operations.retryAll()
    await clock.advance(0)
    expect(await left()).toEqual(NOTHING)
  })

  test('has an upstream that is still away asked once, and no request counted that was undone meanwhile', async () => {
    const { clock, storage, operations, asked } = await openUndoer([[writeTo('a')], [writeTo('b')]], () => done(500))
    const { list } = storage
    storage.list = async (...wish) => {
      const page = await list(...wish)
      // Undone between the look at the list and the retry.
      if (await storage.find('1')) await storage.change('1', (entry) => ({ ...entry, state: 'undone' }))
      return page
    }
    expect(await operations.retryAll()).toEqual({ done: 0, broughtForward: 1, refused: [] })
    await clock.advance(100)
    expect(asked).toEqual(['0 DELETE a', '0 DELETE b', '0 DELETE a'])
  })

  test('is told what another gateway is about, which cannot be brought forward here', async () => {
    const { storage, operations } = await openUndoer([[writeTo('a')]], () => done(500))
    storage.change = async (id) => {
      throw new SagaGoneError(id)
    }
    expect(await operations.retryAll()).toMatchObject({
      done: 0,
      broughtForward: 0,
      refused: [{ id: '0', reason: expect.stringContaining('another gateway is about it') }],
    })
  })
})
