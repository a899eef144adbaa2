import { describe, expect, test } from 'bun:test'
import { type Outbox, OutboxStateError, RECEIPT_MS } from '../../../gateway/events/outbox.ts'
import { ADDRESS, commitOrder, DRAFT, orderPlaced } from '../outbox-conformance.ts'

/** What every outbox must do for events that no intent came before, and for those who ask what became of them. */
export function testReceipts(outbox: () => Outbox): void {
  describe('for commands', () => {
    const add = (id: string, subject?: string, draft: object = {}, atMs = 1_000) =>
      outbox().add(
        { id, event: orderPlaced(id, subject), address: ADDRESS, committedAtMs: atMs },
        { ...DRAFT, ...draft },
      )
    const dueIds = async () => (await outbox().due(10, new Set())).map(({ id }) => id)

    test('takes an event without an intent, due at once behind the others of its subject', async () => {
      await commitOrder(outbox(), 'a1', 'a')
      await add('a2', 'a')
      await add('n1')
      expect(await dueIds()).toEqual(['a1', 'n1'])
      await outbox().delivered('a1', 2_000)
      expect(await dueIds()).toEqual(['a2', 'n1'])
      expect(await outbox().find('a2')).toEqual({
        id: 'a2',
        state: 'committed',
        draft: DRAFT,
        intendedAtMs: 1_000,
        committedAtMs: 1_000,
        attempts: 0,
        event: orderPlaced('a2', 'a'),
        address: ADDRESS,
      })
    })

    test('leaves a receipt of what was delivered, which takes up no room', async () => {
      await add('a', undefined, { caller: 'alice' })
      await commitOrder(outbox(), 'b')
      await outbox().delivered('a', 5_000)
      await outbox().delivered('b', 6_000)
      expect(await outbox().find('a')).toEqual({ id: 'a', state: 'delivered', deliveredAtMs: 5_000, caller: 'alice' })
      expect(await outbox().find('b')).toEqual({ id: 'b', state: 'delivered', deliveredAtMs: 6_000 })
      expect(await outbox().counts()).toEqual({ pending: 0, committed: 0, unknown: 0, parked: 0 })
      expect(await outbox().find('nobody')).toBeUndefined()
    })

    test('does not take an event again that was delivered already', async () => {
      await add('a')
      await outbox().delivered('a', 5_000)
      const refused = await add('a').catch((error: unknown) => error)
      expect(refused).toBeInstanceOf(OutboxStateError)
      expect(await dueIds()).toEqual([])
    })

    test('takes an event anew whose receipt says nothing any more, though no later one has pushed it out', async () => {
      await add('a')
      await outbox().delivered('a', 5_000)
      await add('a', undefined, {}, 5_001 + RECEIPT_MS)
      expect(await dueIds()).toEqual(['a'])
      await outbox().delivered('a', 6_000 + RECEIPT_MS)
      expect(await outbox().find('a')).toMatchObject({ state: 'delivered', deliveredAtMs: 6_000 + RECEIPT_MS })
      await add('b')
      await outbox().delivered('b', 6_001 + RECEIPT_MS)
      expect(await outbox().find('a')).toMatchObject({ state: 'delivered' })
    })

    test('lets go of receipts after a day', async () => {
      for (const id of ['a', 'b', 'c']) await add(id)
      await outbox().delivered('a', 0)
      await outbox().delivered('b', RECEIPT_MS - 1)
      expect(await outbox().find('a')).toMatchObject({ state: 'delivered' })
      await outbox().delivered('c', RECEIPT_MS)
      expect(await outbox().find('a')).toBeUndefined()
      expect(await outbox().find('b')).toMatchObject({ state: 'delivered' })
    })
  })
}
