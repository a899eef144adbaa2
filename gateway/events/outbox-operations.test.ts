import { describe, expect, test } from 'bun:test'
import { commitOrder } from '../../tests/support/outbox-conformance.ts'
import { createVirtualClock } from '../../tests/support/virtual-clock.ts'
import type { IntentDraft } from '../core/events.ts'
import { OperationRefused, type OutboxOperations } from '../core/operations.ts'
import { createMemoryOutbox } from './memory-outbox.ts'
import { createOutboxOperations } from './outbox-operations.ts'

const DRAFT: IntentDraft = {
  route: 'place-order',
  method: 'POST',
  path: '/orders?token=geheim',
  idempotencyKey: 'key-1',
  caller: 'alice',
}

const SETTLED_BY_REPLAY: IntentDraft = {
  ...DRAFT,
  settlement: {
    mode: 'replay',
    upstream: 'orders',
    request: { method: 'POST', path: '/orders', headers: [['authorization', 'Bearer geheim']], body: 'Z2VoZWlt' },
    withinMs: 600_000,
    recipe: {
      type: 'order.placed',
      source: 'test',
      exchange: 'e',
      routingKey: 'k',
      data: '{response.body}',
      values: { 'headers.x-secret': 'geheim' },
      maxBody: 1,
    },
  },
}

async function scene() {
  const clock = createVirtualClock(1_000_000)
  const outbox = createMemoryOutbox()
  await outbox.intend('running', DRAFT, 1)
  await commitOrder(outbox, 'waiting', 'a')
  await commitOrder(outbox, 'returned', 'b')
  await outbox.park('returned', 'the broker returned it', 500)
  await outbox.intend('lost', DRAFT, 2)
  await outbox.markUnknown('lost', 'no answer')
  await outbox.park('lost', 'there is no way to settle it', 600)
  await outbox.intend('settling', SETTLED_BY_REPLAY, 3)
  await outbox.markUnknown('settling', 'timeout')
  await outbox.postpone('settling', { attempts: 4, nextAtMs: 1_299_999, reason: 'still away' })
  await outbox.intend('hopeless', DRAFT, 4)
  await outbox.markUnknown('hopeless', 'timeout')
  return { outbox, operations: createOutboxOperations({ outbox, clock }) }
}

const refusalOf = (work: Promise<unknown>): Promise<{ kind: string; message: string }> =>
  work.then(
    () => ({ kind: 'done', message: '' }),
    (error: unknown) =>
      error instanceof OperationRefused
        ? { kind: error.kind, message: error.message }
        : { kind: 'error', message: String(error) },
  )

const states = async (operations: OutboxOperations) =>
  (await operations.list({ limit: 100 })).entries.map(({ id, state }) => `${id} ${state}`)

describe("the operator's view of an outbox", () => {
  test('shows first what waits for a person, and counts everything', async () => {
    const { operations } = await scene()
    expect(await states(operations)).toEqual([
      'lost parked',
      'returned parked',
      'settling unknown',
      'hopeless unknown',
      'waiting committed',
      'running pending',
    ])
    const { counts, entries } = await operations.list({ state: 'unknown', limit: 1 })
    expect(counts).toEqual({ parked: 2, unknown: 2, committed: 1, pending: 1 })
    expect(entries.map(({ id }) => id)).toEqual(['settling'])
    expect((await operations.list({ limit: 3 })).entries).toHaveLength(3)
  })

  test('shows nothing a client sent, but the data of the event when one entry is asked for', async () => {
    const { operations } = await scene()
    const shown = await Promise.all(['settling', 'lost', 'running', 'returned'].map((id) => operations.show(id)))
    expect(JSON.stringify([shown, await operations.list({ limit: 100 })])).not.toContain('geheim')
    expect(shown[0]).toEqual({
      id: 'settling',
      state: 'unknown',
      route: 'place-order',
      method: 'POST',
      path: '/orders',
      caller: 'alice',
      idempotencyKey: 'key-1',
      reason: 'still away',
      attempts: 4,
      intendedAtMs: 3,
      nextAtMs: 1_299_999,
      settlement: { mode: 'replay', upstream: 'orders' },
    })
    expect(shown[3]?.event).toMatchObject({ type: 'order.placed', subject: 'b', data: expect.anything() })
    const { entries } = await operations.list({ state: 'parked', limit: 10 })
    const listed = entries.find(({ id }) => id === 'returned')
    expect(Object.keys(listed?.event ?? {})).toEqual(['id', 'type', 'subject', 'time', 'exchange', 'routingKey'])
  })

  test('puts a parked event back, to be published', async () => {
    const { outbox, operations } = await scene()
    expect(await operations.retry('returned')).toMatchObject({ id: 'returned', state: 'committed' })
    expect((await outbox.due(10, new Set())).map(({ id }) => id)).toContain('returned')
  })

  test('lets recovery try an unknown entry at once, as often as it was tried before', async () => {
    const { outbox, operations } = await scene()
    expect((await outbox.unsettled(10, 1_000_000)).map(({ id }) => id)).toEqual(['hopeless'])
    expect(await operations.retry('settling')).toMatchObject({ state: 'unknown', attempts: 4, reason: 'still away' })
    expect((await outbox.unsettled(10, 1_000_000)).map(({ id }) => id)).toEqual(['settling', 'hopeless'])
  })

  test('puts back everything that is parked, and tells what could not be', async () => {
    const { outbox, operations } = await scene()
    for (let i = 0; i < 250; i++) {
      await commitOrder(outbox, `many-${i}`, `subject-${i}`)
      await outbox.park(`many-${i}`, 'returned', 1)
    }
    const { done, refused } = await operations.retryAll()
    expect(done).toBe(251)
    expect(refused).toEqual([
      { id: 'lost', reason: expect.stringMatching(/^Cannot retry "lost": it has neither an event nor a way to ask/) },
    ])
    expect((await operations.list({ limit: 1 })).counts).toMatchObject({ parked: 1, committed: 252 })
  })

  test('puts back many in their order and together, so that they share a sync of the disk', async () => {
    const memory = createMemoryOutbox()
    for (let i = 0; i < 150; i++) {
      await commitOrder(memory, `many-${String(i).padStart(3, '0')}`, 'one subject')
      await memory.park(`many-${String(i).padStart(3, '0')}`, 'returned', 1)
    }
    const asked: string[] = []
    const { promise: aPageIsAsked, resolve } = Promise.withResolvers<void>()
    const requeue = async (id: string, atMs: number) => {
      if (asked.push(id) === 100) resolve()
      await aPageIsAsked
      return memory.requeue(id, atMs)
    }
    const operations = createOutboxOperations({ outbox: { ...memory, requeue }, clock: createVirtualClock(2) })
    expect(await operations.retryAll()).toEqual({ done: 150, refused: [] })
    expect(asked).toEqual([...asked].sort())
  })

  test('gives up what is parked or unknown, and nothing else', async () => {
    const { operations } = await scene()
    await operations.discard('returned')
    await operations.discard('hopeless')
    expect(await states(operations)).toEqual([
      'lost parked',
      'settling unknown',
      'waiting committed',
      'running pending',
    ])
    expect(await refusalOf(operations.discard('waiting'))).toEqual({
      kind: 'wrong-state',
      message: 'Cannot discard "waiting": it waits for the broker, and is sent by itself',
    })
    expect(await refusalOf(operations.discard('running'))).toMatchObject({ kind: 'wrong-state' })
    expect(await refusalOf(operations.discard('returned'))).toMatchObject({ kind: 'not-found' })
  })

  test.each([
    { name: 'one that is not there', id: 'nothing', kind: 'not-found' },
    { name: 'one whose request is running', id: 'running', kind: 'wrong-state' },
    { name: 'one that waits for the broker', id: 'waiting', kind: 'wrong-state' },
    { name: 'a parked one with neither event nor settlement', id: 'lost', kind: 'wrong-state' },
    { name: 'an unknown one nobody can ask about', id: 'hopeless', kind: 'wrong-state' },
  ])('does not retry $name, and leaves it as it is', async ({ id, kind }) => {
    const { operations } = await scene()
    const before = await states(operations)
    expect(await refusalOf(operations.retry(id))).toMatchObject({ kind })
    expect(await states(operations)).toEqual(before)
  })

  test('knows a delivered entry by its receipt', async () => {
    const { outbox, operations } = await scene()
    await outbox.delivered('waiting', 77)
    expect(await operations.show('waiting')).toMatchObject({ state: 'delivered', deliveredAtMs: 77 })
    expect(await refusalOf(operations.retry('waiting'))).toEqual({
      kind: 'wrong-state',
      message: 'Cannot retry "waiting": the broker has it',
    })
  })
})
