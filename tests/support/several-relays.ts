import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import type { Clock } from '../../gateway/core/clock.ts'
import type { Outbox } from '../../gateway/events/outbox.ts'
import { commitOrder } from './outbox-conformance.ts'
import { createRelayScene, type RelayScene } from './relay-scene.ts'

/** What relays that share an outbox must do: one of them delivers, whatever happens to it. */
export function testSeveralRelays(name: string, createOpener: () => (clock: Clock) => Outbox): void {
  describe(`Several relays on ${name}`, () => {
    let scene: RelayScene
    beforeEach(() => {
      scene = createRelayScene(createOpener())
    })
    afterEach(() => scene.end())

    async function startTwo() {
      const first = scene.start('first')
      await scene.until('the lease', () => first.isDelivering)
      const second = scene.start('second')
      await scene.clock.advance(100)
      return { first, second }
    }

    test('leave it to one of them, whoever took the orders', async () => {
      const { first, second } = await startTwo()
      for (let i = 0; i < 20; i++) await commitOrder(i % 2 ? first.outbox : second.outbox, `e-${i}`, `s-${i % 5}`)
      second.relay.wake()
      await scene.until('all events', () => scene.broker.took.length === 20, 3_000)
      expect(second.telemetry.valueOf('sluice_events_published_total')).toBe(0)
      expect(new Set(scene.broker.took).size).toBe(20)
    })

    test('take over at once from one that stops in good order', async () => {
      const { first, second } = await startTwo()
      await first.stop()
      await commitOrder(second.outbox, 'a')
      await scene.until('the event', () => scene.broker.took.length === 1, 1_500)
    })

    test('take over within seconds from one that is killed', async () => {
      const { first, second } = await startTwo()
      first.kill()
      await commitOrder(second.outbox, 'a')
      await scene.clock.advance(3_000)
      expect(scene.broker.took).toEqual([])
      await scene.until('the event', () => scene.broker.took.length === 1, 4_000)
    })

    test('do not hear from one that was paused, though it had begun', async () => {
      const { first, second } = await startTwo()
      await commitOrder(first.outbox, 'a1', 'a')
      await commitOrder(first.outbox, 'a2', 'a')
      await commitOrder(first.outbox, 'a3', 'a')
      first.relay.wake()
      const resume = first.pause()
      await scene.until('the handover', async () => (await second.outbox.counts()).committed === 0, 10_000)
      const before = [...scene.broker.took]
      expect([...new Set(before)]).toEqual(['event-a1', 'event-a2', 'event-a3'])
      resume()
      await scene.clock.advance(10_000)
      expect(scene.broker.took).toEqual(before)
      expect([first.isDelivering, second.isDelivering]).toEqual([false, true])
      expect(first.telemetry.lines.filter(({ level }) => level === 'error')).toEqual([])
    })

    test('stop in the middle of a batch when the lease is lost', async () => {
      const { first, second } = await startTwo()
      let sent = 0
      let resume = () => {}
      scene.broker.answer(() => {
        if (++sent === 3) resume = first.pause()
        return 'confirm'
      })
      for (let i = 0; i < 10; i++) await commitOrder(first.outbox, `e-${i}`, `s-${i}`)
      first.relay.wake()
      await scene.until('the handover', () => second.isDelivering, 10_000)
      await scene.until('an empty outbox', async () => (await second.outbox.counts()).committed === 0)
      const before = scene.broker.took.length
      resume()
      await scene.clock.advance(60_000)
      expect(scene.broker.took).toHaveLength(before)
      expect(new Set(scene.broker.took).size).toBe(10)
    })

    test('keep the order of a subject over many handovers', async () => {
      const { first } = await startTwo()
      const expected: string[] = []
      let process = first
      for (let round = 0; round < 6; round++) {
        for (let i = 0; i < 5; i++) {
          await commitOrder(process.outbox, `${round}-${i}`, 'a')
          expected.push(`event-${round}-${i}`)
        }
        process.relay.wake()
        await scene.clock.advance(round * 3)
        if (round % 2) process.kill()
        else await Promise.all([process.stop(), scene.clock.advance(0)])
        process = scene.start(`next-${round}`)
        await scene.clock.advance(500)
      }
      await scene.until('an empty outbox', async () => (await process.outbox.counts()).committed === 0)
      expect([...new Set(scene.broker.took)]).toEqual(expected)
    })

    test('publish nothing late and lose nothing when the clock is set', async () => {
      const { first, second } = await startTwo()
      for (const jump of [86_400_000, -2 * 86_400_000, 3_600_000]) {
        scene.clock.jump(jump)
        await commitOrder(second.outbox, `e${jump}`, 'a', scene.clock.now())
        await scene.until('the event', async () => (await second.outbox.counts()).committed === 0, 3_000)
        expect(first.isDelivering).toBe(true)
      }
      expect(scene.broker.took).toHaveLength(3)
    })
  })
}
