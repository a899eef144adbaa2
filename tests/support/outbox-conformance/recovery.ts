import { describe, expect, test } from 'bun:test'
import type { Outbox } from '../../../gateway/events/outbox.ts'
import { ADDRESS, commitOrder, DRAFT, orderPlaced } from '../outbox-conformance.ts'

const SETTLEMENT = {
  mode: 'replay',
  upstream: 'orders',
  request: { method: 'POST', path: '/orders', headers: [['idempotency-key', 'key-1']], body: 'e30=' },
  withinMs: 600_000,
  recipe: {
    type: 'order.placed',
    source: '/gateway',
    exchange: 'shop.events',
    routingKey: 'order.placed',
    data: '{response.body}',
    values: { 'body.note': 'é' },
    maxBody: 1_000,
  },
} as const

/** What every outbox must do for those who settle what nobody knows. */
export function testRecovery(outbox: () => Outbox): void {
  describe('for recovery', () => {
    const unsettled = async (nowMs: number, limit = 100) => (await outbox().unsettled(limit, nowMs)).map(({ id }) => id)

    async function leaveUnknown(id: string, atMs: number, draft: object = {}): Promise<void> {
      await outbox().intend(id, { ...DRAFT, ...draft }, atMs)
      await outbox().markUnknown(id, 'timeout')
    }

    test('offers every unknown intent at once, the oldest first', async () => {
      await leaveUnknown('b', 2_000)
      await leaveUnknown('a', 1_000)
      await outbox().intend('pending', DRAFT, 1)
      expect(await unsettled(0)).toEqual(['a', 'b'])
      expect(await unsettled(0, 1)).toEqual(['a'])
    })

    test('leaves out what somebody has in hand, and upstreams for which he has enough', async () => {
      const at = (upstream: string) => ({ settlement: { ...SETTLEMENT, upstream } })
      for (const [i, upstream] of ['orders', 'stock', 'orders', 'stock'].entries()) {
        await leaveUnknown(`${upstream}-${i}`, i, at(upstream))
      }
      await leaveUnknown('without', 4)
      const left = async (ids: string[], upstreams: string[], limit = 100) => {
        const found = await outbox().unsettled(limit, 0, { ids: new Set(ids), upstreams: new Set(upstreams) })
        return found.map(({ id }) => id)
      }
      expect(await left([], [])).toEqual(['orders-0', 'stock-1', 'orders-2', 'stock-3', 'without'])
      expect(await left(['orders-0'], [], 2)).toEqual(['stock-1', 'orders-2'])
      expect(await left(['stock-1'], ['orders'])).toEqual(['stock-3', 'without'])
    })

    test('keeps how an intent is settled', async () => {
      await leaveUnknown('a', 1_000, { settlement: SETTLEMENT, caller: 'alice' })
      expect((await outbox().unsettled(1, 0))[0]?.draft).toEqual({ ...DRAFT, settlement: SETTLEMENT, caller: 'alice' })
    })

    test('offers a postponed intent again when its time has come, and remembers the attempts', async () => {
      await leaveUnknown('a', 1_000)
      await outbox().postpone('a', { attempts: 2, nextAtMs: 5_000, reason: 'status 503' })
      expect(await unsettled(4_999)).toEqual([])
      expect(await unsettled(5_000)).toEqual(['a'])
      expect(await outbox().find('a')).toMatchObject({ attempts: 2, nextAtMs: 5_000, reason: 'status 503' })
    })

    test('offers an intent that was postponed before the clock was set back', async () => {
      await leaveUnknown('a', 90_000_000)
      await outbox().postpone('a', { attempts: 1, nextAtMs: 90_001_000, reason: 'status 503' })
      expect(await unsettled(90_000_500)).toEqual([])
      expect(await unsettled(3_600_000)).toEqual(['a'])
    })

    test('puts a parked intent back for recovery to try at once, with its bound begun anew', async () => {
      await leaveUnknown('a', 1_000, { settlement: SETTLEMENT })
      await outbox().postpone('a', { attempts: 9, nextAtMs: 900_000, reason: 'status 503' })
      await outbox().park('a', 'not settled within 600 s', 700_000)
      const parked = await outbox().find('a')
      expect(parked).toMatchObject({ state: 'parked', parkedAtMs: 700_000 })
      expect(parked).not.toHaveProperty('nextAtMs')
      expect(await unsettled(900_000)).toEqual([])
      await outbox().requeue('a', 800_000)
      expect(await unsettled(0)).toEqual(['a'])
      const entry = await outbox().find('a')
      expect(entry).toMatchObject({ state: 'unknown', attempts: 0, requeuedAtMs: 800_000, intendedAtMs: 1_000 })
      expect(entry).not.toHaveProperty('parkedAtMs')
    })

    test('does not put an intent back that nobody could settle', async () => {
      await leaveUnknown('a', 1_000)
      await outbox().park('a', 'no settlement', 2_000)
      await expect(outbox().requeue('a', 3_000)).rejects.toThrow('parked with an event or a settlement')
      expect(await outbox().counts()).toMatchObject({ parked: 1, unknown: 0 })
    })

    test('forgets what the client sent as soon as the outcome is known', async () => {
      await leaveUnknown('a', 1_000, { settlement: SETTLEMENT, cannotSettle: 'too large', caller: 'alice' })
      await outbox().commit('a', { event: orderPlaced('event-a'), address: ADDRESS, committedAtMs: 2_000 })
      const entry = await outbox().find('a')
      expect(entry).toMatchObject({ state: 'committed', draft: { ...DRAFT, caller: 'alice' } })
      expect(JSON.stringify(entry)).not.toContain('settlement')
      expect(JSON.stringify(entry)).not.toContain('cannotSettle')
    })

    test('keeps an event that must not be sent, until an operator says otherwise', async () => {
      await outbox().intend('a1', { ...DRAFT, settlement: SETTLEMENT }, 1_000)
      await outbox().intend('a2', DRAFT, 1_000)
      const event = orderPlaced('event-a1', 'a')
      await outbox().withhold('a1', { event, address: ADDRESS, committedAtMs: 2_000 }, 'it does not fit')
      await outbox().commit('a2', { event: orderPlaced('event-a2', 'a'), address: ADDRESS, committedAtMs: 3_000 })
      const due = async () => (await outbox().due(10, new Set())).map(({ id }) => id)
      expect(await due()).toEqual(['a2'])
      const kept = { state: 'parked', reason: 'it does not fit', parkedAtMs: 2_000, event, address: ADDRESS }
      expect(await outbox().find('a1')).toMatchObject(kept)
      await outbox().requeue('a1', 4_000)
      await outbox().delivered('a2', 5_000)
      expect(await due()).toEqual(['a1'])
    })

    test('discards what is parked or unknown, and nothing of it is left', async () => {
      await commitOrder(outbox(), 'a1', 'a')
      await commitOrder(outbox(), 'a2', 'a')
      await outbox().park('a1', 'no queue', 2_000)
      await leaveUnknown('u', 1_000)
      await outbox().discard('a1')
      await outbox().discard('u')
      expect([await outbox().find('a1'), await outbox().find('u')]).toEqual([undefined, undefined])
      expect(await outbox().counts()).toMatchObject({ committed: 1, parked: 0, unknown: 0 })
      expect((await outbox().due(10, new Set())).map(({ id }) => id)).toEqual(['a2'])
    })

    test('lists page by page, whatever becomes of the last entry of a page', async () => {
      for (const id of ['c', 'a', 'b', 'd']) await leaveUnknown(id, id === 'd' ? 1 : 2)
      const first = await outbox().list('unknown', 2)
      expect(first.map(({ id }) => id)).toEqual(['d', 'a'])
      await outbox().reject('a')
      const second = await outbox().list('unknown', 2, first[1])
      expect(second.map(({ id }) => id)).toEqual(['b', 'c'])
      expect(await outbox().list('unknown', 2, second[1])).toEqual([])
    })
  })
}
