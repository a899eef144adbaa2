import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import type { Clock } from '../../gateway/core/clock.ts'
import type { Outbox } from '../../gateway/events/outbox.ts'
import { ADDRESS, commitOrder, DRAFT, orderPlaced } from './outbox-conformance.ts'
import { createRelayScene, type RelayScene } from './relay-scene.ts'

/** What has gone wrong in outboxes of others, by the number of the report, and must not in ours. */
export function testKnownWounds(name: string, createOpener: () => (clock: Clock) => Outbox): void {
  describe(`Known wounds of other outboxes, with ${name}`, () => {
    let scene: RelayScene
    beforeEach(() => {
      scene = createRelayScene(createOpener())
    })
    afterEach(() => scene.end())

    const ids = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}-${i}`)
    const events = (prefix: string, count: number) => ids(prefix, count).map((id) => `event-${id}`)
    const isDrained = (outbox: Outbox) => async () => (await outbox.counts()).committed === 0
    async function commitAll(outbox: Outbox, prefix: string, count: number, subject?: string): Promise<void> {
      for (const id of ids(prefix, count)) await commitOrder(outbox, id, subject)
    }
    /** Each id where it came first: what consumers that know repeats act on. */
    const firsts = () => [...new Set(scene.broker.took)]

    test('outbox not drained after the broker returns (wolverine#1430, #1514, #3955)', async () => {
      const { outbox, telemetry } = scene.start('a')
      scene.broker.answer(() => 'fail')
      await commitAll(outbox, 'failing', 20)
      await scene.clock.advance(2_000)
      scene.broker.become({ name: 'away', reason: 'connection refused' })
      await commitAll(outbox, 'waiting', 200)
      await scene.clock.advance(120_000)
      scene.broker.answer(() => 'confirm')
      scene.broker.become({ name: 'ready' })
      // Nobody commits anything now, and nobody starts the process again.
      await scene.until('an empty outbox', isDrained(outbox))
      expect(firsts().sort()).toEqual([...events('failing', 20), ...events('waiting', 200)].sort())
      expect(telemetry.valueOf('sluice_events_parked_total')).toBe(0)
    })

    test('not drained after a crash (wolverine#565)', async () => {
      const crashed = scene.start('crashed')
      await scene.until('the lease', () => crashed.isDelivering)
      await commitAll(crashed.outbox, 'e', 200)
      let count = 0
      scene.broker.answer(() => {
        if (++count === 80) crashed.kill()
        return 'confirm'
      })
      crashed.relay.wake()
      await scene.until('the crash', () => count >= 80)
      scene.broker.answer(() => 'confirm')
      const { outbox } = scene.start('successor')
      await scene.until('an empty outbox', isDrained(outbox), 10_000)
      expect(firsts().sort()).toEqual(events('e', 200).sort())
    })

    test('duplicates after recovery (wolverine#585)', async () => {
      const crashed = scene.start('crashed')
      await commitAll(crashed.outbox, 'done', 50)
      await scene.until('an empty outbox', isDrained(crashed.outbox))
      crashed.kill()
      const [b, c] = [scene.start('b'), scene.start('c')]
      await commitAll(b.outbox, 'later', 50)
      await scene.until('an empty outbox', isDrained(b.outbox))
      await scene.clock.advance(60_000)
      // Two that could deliver, and a third that did: nobody sent anything twice.
      expect([b.isDelivering, c.isDelivering].filter(Boolean)).toHaveLength(1)
      expect([...scene.broker.took].sort()).toEqual([...events('done', 50), ...events('later', 50)].sort())
    })

    test('loss by delivering before persisting (MassTransit#4990)', async () => {
      const { outbox, relay } = scene.start('a')
      await scene.clock.advance(100)
      await outbox.intend('slow', DRAFT, 1)
      for (let i = 0; i < 20; i++) {
        relay.wake()
        await scene.clock.advance(100)
      }
      // The relay has looked often and found nothing: that must not be taken for a delivery.
      await outbox.commit('slow', { event: orderPlaced('event-slow'), address: ADDRESS, committedAtMs: 1 })
      await scene.until('an empty outbox', isDrained(outbox))
      expect(scene.broker.took).toEqual(['event-slow'])

      const held: boolean[] = []
      scene.broker.answer(() => {
        void outbox.find('b').then((entry) => held.push(entry?.state === 'committed'))
        return 'confirm'
      })
      await commitOrder(outbox, 'b')
      relay.wake()
      await scene.until('an empty outbox', isDrained(outbox))
      expect(held).toEqual([true])
    })

    test('order broken (MassTransit#3512)', async () => {
      const a = scene.start('a')
      let asked = 0
      scene.broker.answer(() => (++asked % 3 === 0 ? 'fail' : 'confirm'))
      for (const id of ids('e', 30)) {
        for (const subject of ['x', 'y', 'z']) await commitOrder(a.outbox, `${subject}-${id}`, subject)
      }
      const b = scene.start('b')
      await scene.clock.advance(1_000)
      const resume = a.pause()
      await scene.until('a handover', () => b.isDelivering)
      await scene.clock.advance(1_000)
      resume()
      await scene.until('an empty outbox', isDrained(b.outbox), 600_000)
      for (const subject of ['x', 'y', 'z']) {
        const ofSubject = firsts().filter((id) => id.startsWith(`event-${subject}-`))
        expect(ofSubject).toEqual(events(`${subject}-e`, 30))
      }
    })

    test('deleted before dispatched (MassTransit#6145)', async () => {
      const crashed = scene.start('crashed')
      scene.broker.answer(() => 'silence')
      await commitAll(crashed.outbox, 'e', 20)
      crashed.relay.wake()
      await scene.until('all to be sent', () => scene.broker.took.length === 20)
      expect(await crashed.outbox.counts()).toMatchObject({ committed: 20 })
      crashed.kill()
      scene.broker.answer(() => 'confirm')
      const { outbox } = scene.start('successor')
      await scene.until('an empty outbox', isDrained(outbox), 10_000)
      expect([...scene.broker.took].sort()).toEqual([...events('e', 20), ...events('e', 20)].sort())
    })

    test('deleted before dispatched: killed between confirmation and mark, it is sent again and not lost', async () => {
      const crashed = scene.start('crashed', (step) => {
        if (step === 'after-confirm-before-mark') crashed.kill()
      })
      await commitOrder(crashed.outbox, 'a')
      await scene.until('the event to be sent', () => scene.broker.took.length === 1)
      const { outbox } = scene.start('successor')
      expect(await outbox.counts()).toMatchObject({ committed: 1 })
      await scene.until('an empty outbox', isDrained(outbox), 10_000)
      expect(scene.broker.took).toEqual(['event-a', 'event-a'])
    })

    test('requeue seen as duplicate (wolverine#782)', async () => {
      const { outbox, relay } = scene.start('a')
      scene.broker.answer(() => 'return')
      await commitOrder(outbox, 'a1', 'a')
      await commitOrder(outbox, 'a2', 'a')
      await scene.until('both to be parked', async () => (await outbox.counts()).parked === 2, 180_000)
      scene.broker.answer(() => 'confirm')
      await outbox.requeue('a1', scene.clock.now())
      relay.wake()
      await scene.until('an empty outbox', isDrained(outbox))
      expect(scene.broker.took).toEqual(['event-a1'])
      expect(await outbox.find('a1')).toMatchObject({ state: 'delivered' })
      // And once more through the whole way: parked anew, it is put back anew.
      scene.broker.answer(() => 'return')
      await outbox.requeue('a2', scene.clock.now())
      await scene.until('it to be parked again', async () => (await outbox.counts()).parked === 1, 120_000)
      scene.broker.answer(() => 'confirm')
      await outbox.requeue('a2', scene.clock.now())
      await scene.until('an empty outbox', isDrained(outbox))
      expect(scene.broker.took).toEqual(['event-a1', 'event-a2'])
    })
  })
}
