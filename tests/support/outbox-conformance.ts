import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import type { CloudEvent } from '../../gateway/core/events.ts'
import {
  addressKey,
  type Outbox,
  OutboxClosedError,
  OutboxFullError,
  OutboxStateError,
} from '../../gateway/events/outbox.ts'
import { testLease } from './outbox-conformance/lease.ts'
import { testReceipts } from './outbox-conformance/receipts.ts'
import { testRecovery } from './outbox-conformance/recovery.ts'

/** A draft and an address for tests of outboxes. */
export const DRAFT = { route: 'place-order', method: 'POST', path: '/orders?x=1', idempotencyKey: 'key-1' }
export const ADDRESS = { exchange: 'shop.events', routingKey: 'order.placed' }

const ATTEMPT = { attempts: 1, nextAtMs: 1, reason: 'timeout' }

/** An event about `subject` for tests of the outbox and the relay. */
export function orderPlaced(id: string, subject?: string): CloudEvent {
  const about = subject === undefined ? {} : { subject }
  return {
    id,
    source: '/gateway',
    type: 'order.placed',
    time: '2026-01-02T03:04:05Z',
    data: { id, note: 'é' },
    ...about,
  }
}

const DUE = { event: orderPlaced('event-x'), address: ADDRESS, committedAtMs: 1 }

/** Stores the event of an accepted order under the intent `id`. */
export async function commitOrder(outbox: Outbox, id: string, subject?: string, atMs = 1_000): Promise<void> {
  await outbox.intend(id, DRAFT, atMs)
  await outbox.commit(id, { event: orderPlaced(`event-${id}`, subject), address: ADDRESS, committedAtMs: atMs })
}

/** What every outbox must do; `create` makes an empty one. */
export function testOutbox(name: string, create: (capacity?: number) => Outbox): void {
  describe(`${name} as an outbox`, () => {
    let outbox: Outbox

    beforeEach(() => {
      outbox = create()
    })
    afterEach(() => outbox.close())

    testRecovery(() => outbox)
    testReceipts(() => outbox)
    testLease(() => outbox)

    const dueIds = async (limit = 100, busy: string[] = []) =>
      (await outbox.due(limit, new Set(busy))).map(({ id }) => id)

    test('holds nothing due for an intent without outcome', async () => {
      await outbox.intend('a', DRAFT, 1_000)
      expect(await dueIds()).toEqual([])
      expect(await outbox.counts()).toEqual({ pending: 1, committed: 0, unknown: 0, parked: 0 })
    })

    test('gives back a committed event whole, with its address', async () => {
      await commitOrder(outbox, 'a', 'order-1', 7_000)
      expect(await outbox.due(10, new Set())).toEqual([
        { id: 'a', event: orderPlaced('event-a', 'order-1'), address: ADDRESS, committedAtMs: 7_000 },
      ])
    })

    test('orders what is due by commitment, not by intent', async () => {
      await outbox.intend('first', DRAFT, 1)
      await commitOrder(outbox, 'second', undefined, 2)
      await outbox.commit('first', { event: orderPlaced('event-first'), address: ADDRESS, committedAtMs: 3 })
      expect(await dueIds()).toEqual(['second', 'first'])
      expect(await dueIds(1)).toEqual(['second'])
    })

    test('shows only the earliest event of each subject, and all events without one', async () => {
      await commitOrder(outbox, 'a1', 'a')
      await commitOrder(outbox, 'a2', 'a')
      await commitOrder(outbox, 'b1', 'b')
      await commitOrder(outbox, 'n1')
      await commitOrder(outbox, 'n2')
      expect(await dueIds()).toEqual(['a1', 'b1', 'n1', 'n2'])
      expect(await dueIds(2)).toEqual(['a1', 'b1'])
    })

    test('lets the subject of a busy entry wait, and nobody else', async () => {
      await commitOrder(outbox, 'a1', 'a')
      await commitOrder(outbox, 'a2', 'a')
      await commitOrder(outbox, 'b1', 'b')
      expect(await dueIds(2, ['a1'])).toEqual(['b1'])
    })

    test('leaves out the events of addresses that are withheld, in whatever order they came', async () => {
      const other = { exchange: 'shop.events', routingKey: 'order.cancelled' }
      await commitOrder(outbox, 'a1', 'a')
      await outbox.add({ id: 'b1', event: orderPlaced('b1', 'b'), address: other, committedAtMs: 1 }, DRAFT)
      await commitOrder(outbox, 'c1', 'c')
      const ids = async (limit: number, ...withheld: { exchange: string; routingKey: string }[]) =>
        (await outbox.due(limit, new Set(), new Set(withheld.map(addressKey)))).map(({ id }) => id)
      expect(await ids(10)).toEqual(['a1', 'b1', 'c1'])
      expect(await ids(2)).toEqual(['a1', 'b1'])
      expect(await ids(10, ADDRESS)).toEqual(['b1'])
      expect(await ids(10, other)).toEqual(['a1', 'c1'])
      expect(await ids(10, ADDRESS, other)).toEqual([])
    })

    test('makes the next event of a subject due once the one before is delivered or parked', async () => {
      for (const id of ['a1', 'a2', 'a3']) await commitOrder(outbox, id, 'a')
      await outbox.delivered('a1', 9_000)
      expect(await dueIds()).toEqual(['a2'])
      await outbox.park('a2', 'no queue', 9_000)
      expect(await dueIds()).toEqual(['a3'])
    })

    test('forgets delivered and rejected entries', async () => {
      await commitOrder(outbox, 'a')
      await outbox.delivered('a', 9_000)
      await outbox.delivered('a', 9_000)
      await outbox.intend('b', DRAFT, 1)
      await outbox.reject('b')
      expect(await outbox.counts()).toEqual({ pending: 0, committed: 0, unknown: 0, parked: 0 })
    })

    test('lists unknown intents with the draft and the reason, oldest first', async () => {
      await outbox.intend('b', { ...DRAFT, route: 'later' }, 2_000)
      await outbox.intend('a', DRAFT, 1_000)
      await outbox.markUnknown('b', 'timeout')
      await outbox.markUnknown('a', 'connection lost')
      const oldest = {
        id: 'a',
        state: 'unknown',
        draft: DRAFT,
        intendedAtMs: 1_000,
        reason: 'connection lost',
        attempts: 0,
      } as const
      expect(await outbox.list('unknown', 1)).toEqual([oldest])
      expect((await outbox.list('unknown', 10)).map(({ id }) => id)).toEqual(['a', 'b'])
    })

    test('settles an unknown intent as committed, rejected or parked', async () => {
      for (const id of ['a', 'b', 'c']) {
        await outbox.intend(id, DRAFT, 1)
        await outbox.markUnknown(id, 'timeout')
      }
      await outbox.commit('a', { event: orderPlaced('event-a'), address: ADDRESS, committedAtMs: 5 })
      await outbox.reject('b')
      await outbox.park('c', 'cannot be replayed', 9_000)
      expect(await dueIds()).toEqual(['a'])
      expect(await outbox.counts()).toEqual({ pending: 0, committed: 1, unknown: 0, parked: 1, oldestCommittedAtMs: 5 })
    })

    test('lists a parked event with everything needed to send it by hand', async () => {
      await commitOrder(outbox, 'a', 'order-1')
      await outbox.park('a', 'no queue', 9_000)
      const [parked] = await outbox.list('parked', 10)
      expect(parked).toMatchObject({ id: 'a', state: 'parked', reason: 'no queue', address: ADDRESS })
      expect(parked?.event).toEqual(orderPlaced('event-a', 'order-1'))
      expect(await dueIds()).toEqual([])
    })

    test('puts a parked event back behind the others of its subject', async () => {
      await commitOrder(outbox, 'a1', 'a')
      await commitOrder(outbox, 'n1')
      await outbox.park('a1', 'no queue', 9_000)
      await outbox.park('n1', 'no queue', 9_000)
      await commitOrder(outbox, 'a2', 'a')
      await outbox.requeue('a1', 9_500)
      await outbox.requeue('n1', 9_500)
      expect(await dueIds()).toEqual(['a2', 'n1'])
      await outbox.delivered('a2', 9_000)
      expect(await dueIds()).toEqual(['a1', 'n1'])
    })

    test('tells since when the oldest event waits', async () => {
      await commitOrder(outbox, 'a', 's', 5_000)
      await commitOrder(outbox, 'b', 's', 6_000)
      expect((await outbox.counts()).oldestCommittedAtMs).toBe(5_000)
      await outbox.delivered('a', 9_000)
      expect((await outbox.counts()).oldestCommittedAtMs).toBe(6_000)
    })

    const misfits: { name: string; write: (id: string) => Promise<void> }[] = [
      { name: 'a second intent of the same id', write: (id) => outbox.intend(id, DRAFT, 1) },
      { name: 'the rejection of a committed intent', write: (id) => outbox.reject(id) },
      { name: 'a doubt about a committed intent', write: (id) => outbox.markUnknown(id, 'timeout') },
      { name: 'the outcome of an intent it does not know', write: () => outbox.reject('nobody') },
      { name: 'an event of the same id', write: (id) => outbox.add({ ...DUE, id }, DRAFT) },
      { name: 'an attempt at a committed intent', write: (id) => outbox.postpone(id, ATTEMPT) },
      { name: 'an order to discard an event that is due', write: (id) => outbox.discard(id) },
      { name: 'the return of an event that is not parked', write: (id) => outbox.requeue(id, 9_500) },
    ]
    test.each(misfits)('refuses $name and changes nothing', async ({ write }) => {
      await commitOrder(outbox, 'a')
      const refused = write('a').then(
        () => 'stored',
        (error: unknown) => error,
      )
      expect(await refused).toBeInstanceOf(OutboxStateError)
      expect(await dueIds()).toEqual(['a'])
    })

    test('stores the others of many simultaneous writes when one is refused', async () => {
      const ids = Array.from({ length: 64 }, (_, i) => `intent-${i}`)
      const writes = ids.map((id) => outbox.intend(id, DRAFT, 1))
      const results = await Promise.allSettled([...writes, outbox.reject('nobody'), outbox.intend('last', DRAFT, 1)])
      expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(1)
      expect((await outbox.counts()).pending).toBe(65)
    })

    test('refuses intents beyond its capacity, takes their commits, and has room again afterwards', async () => {
      await outbox.close()
      outbox = create(2)
      const intents = ['a', 'b', 'c'].map((id) => outbox.intend(id, DRAFT, 1))
      const results = await Promise.allSettled(intents)
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected'])
      expect(results[2]).toMatchObject({ reason: expect.any(OutboxFullError) })
      await outbox.commit('a', { event: orderPlaced('event-a'), address: ADDRESS, committedAtMs: 1 })
      await outbox.reject('b')
      await outbox.intend('d', DRAFT, 1)
      await outbox.delivered('a', 9_000)
      await outbox.delivered('a', 9_000)
      await outbox.intend('e', DRAFT, 1)
      expect(await outbox.counts()).toMatchObject({ pending: 2, committed: 0 })
      await expect(outbox.intend('f', DRAFT, 1)).rejects.toBeInstanceOf(OutboxFullError)
      await expect(outbox.add({ ...DUE, id: 'g' }, DRAFT)).rejects.toBeInstanceOf(OutboxFullError)
    })

    test('keeps what was committed when the caller changes its object afterwards', async () => {
      const event = { ...orderPlaced('event-a'), data: { total: 1 } }
      await outbox.intend('a', DRAFT, 1)
      await outbox.commit('a', { event, address: ADDRESS, committedAtMs: 1 })
      event.data.total = 2
      expect((await outbox.due(1, new Set()))[0]?.event.data).toEqual({ total: 1 })
    })

    test('rejects every use once it is closed', async () => {
      const last = outbox.intend('a', DRAFT, 1)
      await outbox.close()
      await last
      await outbox.close()
      const uses = [outbox.intend('b', DRAFT, 1), outbox.reject('a'), outbox.due(1, new Set()), outbox.counts()]
      const results = await Promise.allSettled(uses)
      expect(
        results.map((result) => result.status === 'rejected' && result.reason instanceof OutboxClosedError),
      ).toEqual(uses.map(() => true))
    })
  })
}
