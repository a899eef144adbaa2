import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { commitOrder, DRAFT, orderPlaced } from '../../tests/support/outbox-conformance.ts'
import { type RecordedTelemetry, recordTelemetry } from '../../tests/support/recorded-telemetry.ts'
import { createScriptedPublisher, type ScriptedPublisher } from '../../tests/support/scripted-publisher.ts'
import { createVirtualClock, type VirtualClock } from '../../tests/support/virtual-clock.ts'
import { createMemoryOutbox } from './memory-outbox.ts'
import type { Outbox } from './outbox.ts'
import { UnpublishableError } from './publisher.ts'
import { createRelay, type Relay } from './relay.ts'

const ALWAYS_HELD = { isHeld: true, onHeld: () => () => {} }

describe('The relay', () => {
  let clock: VirtualClock
  let outbox: Outbox
  let publisher: ScriptedPublisher
  let telemetry: RecordedTelemetry
  let relay: Relay

  const startRelay = () => createRelay({ outbox, publisher, lease: ALWAYS_HELD, clock, random: () => 0, ...telemetry })

  beforeEach(async () => {
    clock = createVirtualClock(0)
    outbox = createMemoryOutbox()
    publisher = createScriptedPublisher()
    telemetry = recordTelemetry()
    relay = startRelay()
    await clock.advance(0)
  })

  afterEach(async () => {
    publisher.answer((call) => call.confirm())
    for (const call of publisher.calls) call.confirm()
    await relay.stop()
  })

  const published = () => publisher.calls.map(({ event }) => event.id)
  const call = (index: number) => {
    const found = publisher.calls[index]
    if (!found) throw new Error(`Expected at least ${index + 1} publishes, there were ${publisher.calls.length}`)
    return found
  }

  /** Commits and wakes, as the event bus does. */
  async function order(id: string, subject?: string): Promise<void> {
    await commitOrder(outbox, id, subject, clock.now())
    relay.wake()
    await clock.advance(0)
  }

  test('publishes as soon as it is woken, and forgets the event once it is confirmed', async () => {
    await order('a', 'order-1')
    expect(call(0)).toMatchObject({
      event: { id: 'event-a', subject: 'order-1' },
      address: { exchange: 'shop.events', routingKey: 'order.placed' },
    })
    expect((await outbox.counts()).committed).toBe(1)
    call(0).confirm()
    await clock.advance(0)
    expect((await outbox.counts()).committed).toBe(0)
    await clock.advance(60_000)
    expect(published()).toEqual(['event-a'])
  })

  test('finds within a second what nobody woke it for', async () => {
    await commitOrder(outbox, 'a')
    await clock.advance(999)
    expect(published()).toEqual([])
    await clock.advance(1)
    expect(published()).toEqual(['event-a'])
  })

  test('keeps one event of a subject in flight, and the subjects independent of each other', async () => {
    await order('a1', 'a')
    await order('a2', 'a')
    await order('b1', 'b')
    await clock.advance(5_000)
    expect(published()).toEqual(['event-a1', 'event-b1'])
    call(0).confirm()
    await clock.advance(0)
    expect(published()).toEqual(['event-a1', 'event-b1', 'event-a2'])
  })

  test('asks the outbox for no more than 100 events at once, however many wait', async () => {
    const { due } = outbox
    const limits: number[] = []
    outbox.due = (limit, ...rest) => {
      limits.push(limit)
      return due(limit, ...rest)
    }
    publisher.answer((each) => each.confirm())
    for (let i = 0; i < 300; i++) await commitOrder(outbox, `n${i}`, `subject-${i}`)
    relay.wake()
    await clock.advance(100)
    expect(publisher.calls).toHaveLength(300)
    expect(limits.length).toBeGreaterThan(3)
    expect(Math.max(...limits)).toBe(100)
  })

  test('has at most 256 events in flight', async () => {
    for (let i = 0; i < 300; i++) await commitOrder(outbox, `n${i}`, `subject-${i}`)
    relay.wake()
    await clock.advance(10_000)
    expect(publisher.calls).toHaveLength(256)
    call(7).confirm()
    await clock.advance(0)
    expect(publisher.calls).toHaveLength(257)
  })

  test('sends the same event again, later each time, while nobody knows what became of it', async () => {
    publisher.answer((each) => each.fail(new Error('connection lost')))
    const sentAtMs: number[] = []
    publisher.answer((each) => {
      sentAtMs.push(clock.now())
      each.fail(new Error('connection lost'))
    })
    await order('a', 'a')
    await order('a-next', 'a')
    await clock.advance(3_100)
    expect(sentAtMs).toEqual([0, 100, 300, 700, 1_500, 3_100])
    expect(new Set(published())).toEqual(new Set(['event-a']))
    await clock.advance(600_000)
    const waits = sentAtMs.map((atMs, i) => atMs - (sentAtMs[i - 1] ?? 0))
    expect(Math.max(...waits)).toBe(30_000)

    publisher.answer((each) => each.confirm())
    await clock.advance(30_000)
    expect((await outbox.counts()).committed).toBe(0)
    expect(published().slice(-2)).toEqual(['event-a', 'event-a-next'])
  })

  test('sends a returned event again, for the queue that is bound a moment later', async () => {
    await order('a1', 'a')
    await order('a2', 'a')
    call(0).giveBack()
    await clock.advance(500)
    expect(published()).toEqual(['event-a1', 'event-a1'])
    call(1).confirm()
    await clock.advance(0)
    expect(published()).toEqual(['event-a1', 'event-a1', 'event-a2'])
    expect(await outbox.list('parked', 10)).toEqual([])
  })

  test('parks an event that is still returned after 30 s, says why, and goes on with its subject (EV-14)', async () => {
    publisher.answer((each) => (each.event.id === 'event-a1' ? each.giveBack() : undefined))
    await order('a1', 'a')
    await order('a2', 'a')
    await clock.advance(29_000)
    expect(await outbox.list('parked', 10)).toEqual([])
    await clock.advance(60_000)
    expect(await outbox.list('parked', 10)).toMatchObject([
      { id: 'a1', reason: expect.stringContaining('no queue is bound to exchange "shop.events" for "order.placed"') },
    ])
    expect(published().at(-1)).toBe('event-a2')
    expect(telemetry.valueOf('sluice_events_parked_total')).toBe(1)
    expect(telemetry.lines.filter(({ level }) => level === 'error')).toMatchObject([
      { message: 'Parked an event', facts: { event: 'event-a1', subject: 'a' } },
    ])
  })

  test('parks an event that can never be sent', async () => {
    publisher.answer((each) => each.fail(new UnpublishableError('too large')))
    await order('a')
    expect(await outbox.list('parked', 10)).toMatchObject([{ id: 'a', reason: 'too large' }])
    await clock.advance(60_000)
    expect(publisher.calls).toHaveLength(1)
  })

  test('delivers everybody else while one event fails for ever', async () => {
    publisher.answer((each) => (each.event.subject === 'poison' ? each.fail(new Error('nack')) : each.confirm()))
    for (let i = 0; i < 500; i++) await commitOrder(outbox, `p${i}`, 'poison')
    for (let i = 0; i < 500; i++) await commitOrder(outbox, `n${i}`, `subject-${i}`)
    relay.wake()
    await clock.advance(1_000)
    expect((await outbox.counts()).committed).toBe(500)
    expect(new Set(published().filter((id) => id.startsWith('event-p')))).toEqual(new Set(['event-p0']))
  })

  test('tries no more than a few hundred events of an address that takes none, and all of them when it does', async () => {
    const to = (routingKey: string, i: number) =>
      outbox.add(
        {
          id: `${routingKey}-${i}`,
          event: orderPlaced(`${routingKey}-${i}`, `${routingKey}-${i}`),
          address: { exchange: 'shop.events', routingKey },
          committedAtMs: 1,
        },
        DRAFT,
      )
    publisher.answer((each) => (each.address.routingKey === 'refused' ? each.fail(new Error('nack')) : each.confirm()))
    for (let i = 0; i < 2_000; i++) await to('refused', i)
    for (let i = 0; i < 200; i++) await to('taken', i)
    relay.wake()
    await clock.advance(400)
    expect((await outbox.counts()).committed).toBe(2_000)
    const tried = new Set(published().filter((id) => id.startsWith('refused')))
    expect(tried.size).toBeGreaterThanOrEqual(500)
    expect(tried.size).toBeLessThan(800)

    publisher.answer((each) => each.confirm())
    await clock.advance(1_000)
    expect((await outbox.counts()).committed).toBe(0)
  }, 20_000)

  test('publishes nothing while the broker is away, and everything in order when it is back', async () => {
    publisher.become({ name: 'away', reason: 'connection refused' })
    publisher.answer((each) => each.confirm())
    for (let i = 0; i < 1_000; i++) await commitOrder(outbox, `n${i}`, `subject-${i % 10}`)
    await clock.advance(600_000)
    expect(publisher.calls).toHaveLength(0)
    publisher.become({ name: 'ready' })
    await clock.advance(0)
    expect((await outbox.counts()).committed).toBe(0)
    const ofSubject3 = publisher.calls.filter(({ event }) => event.subject === 'subject-3').map(({ event }) => event.id)
    expect(ofSubject3).toEqual(Array.from({ length: 100 }, (_, i) => `event-n${i * 10 + 3}`))
    expect(new Set(published()).size).toBe(publisher.calls.length)
  })

  test('does not publish again what was confirmed while the outbox could not take note', async () => {
    const { delivered } = outbox
    outbox.delivered = async () => {
      throw new Error('disk full')
    }
    publisher.answer((each) => each.confirm())
    await order('a')
    await clock.advance(1_000)
    expect((await outbox.counts()).committed).toBe(1)
    outbox.delivered = delivered
    await clock.advance(30_000)
    expect((await outbox.counts()).committed).toBe(0)
    expect(published()).toEqual(['event-a'])
  })

  test('survives an outbox that cannot be read for a while', async () => {
    const { due, counts } = outbox
    outbox.due = async () => {
      throw new Error('I/O error')
    }
    outbox.counts = outbox.due as never
    await order('a')
    await clock.advance(3_000)
    Object.assign(outbox, { due, counts })
    await clock.advance(1_000)
    expect(published()).toEqual(['event-a'])
  })

  test('measures how many events wait, since when, and what became of them', async () => {
    publisher.become({ name: 'away', reason: 'connection refused' })
    await order('a')
    await order('b')
    await order('c')
    await clock.advance(4_000)
    expect(telemetry.valueOf('sluice_outbox_pending')).toBe(3)
    expect(telemetry.valueOf('sluice_outbox_oldest_age_seconds')).toBe(4)
    publisher.become({ name: 'ready' })
    await clock.advance(0)
    call(0).confirm()
    call(1).giveBack()
    call(2).fail(new Error('nack'))
    publisher.answer((each) => each.confirm())
    await clock.advance(2_000)
    const names = ['events_published', 'events_confirmed', 'events_returned', 'events_parked', 'relay_retries']
    expect(names.map((name) => telemetry.valueOf(`sluice_${name}_total`))).toEqual([5, 3, 1, 0, 2])
    expect(telemetry.valueOf('sluice_outbox_pending')).toBe(0)
    expect(telemetry.valueOf('sluice_outbox_oldest_age_seconds')).toBe(0)
  })

  describe('flushing', () => {
    /** What `flush` resolved with, or `undefined` while it waits. */
    function flush(withinMs: number): { left?: number } {
      const result: { left?: number } = {}
      void relay.flush(withinMs).then((left) => {
        result.left = left
      })
      return result
    }

    test('resolves when the last event is confirmed', async () => {
      await order('a1', 'a')
      await order('a2', 'a')
      const result = flush(10_000)
      call(0).confirm()
      await clock.advance(0)
      expect(result.left).toBeUndefined()
      call(1).confirm()
      await clock.advance(0)
      expect(result.left).toBe(0)
    })

    test('gives up at the deadline and says how many events stay', async () => {
      await order('a')
      const result = flush(500)
      await clock.advance(499)
      expect(result.left).toBeUndefined()
      await clock.advance(1)
      expect(result.left).toBe(1)
    })

    test('does not wait for a broker that is away', async () => {
      publisher.become({ name: 'away', reason: 'connection refused' })
      await order('a')
      const result = flush(10_000)
      await clock.advance(0)
      expect(result.left).toBe(1)
    })
  })

  test('starts nothing once it is stopped, and waits for what is in flight', async () => {
    await order('a1', 'a')
    await order('a2', 'a')
    let stopped = false
    void relay.stop().then(() => {
      stopped = true
    })
    await clock.advance(60_000)
    expect(stopped).toBe(false)
    call(0).confirm()
    await clock.advance(60_000)
    expect(stopped).toBe(true)
    expect(published()).toEqual(['event-a1'])
    expect((await outbox.due(10, new Set())).map(({ id }) => id)).toEqual(['a2'])
  })
})
