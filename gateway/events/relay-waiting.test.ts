import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { commitOrder } from '../../tests/support/outbox-conformance.ts'
import { type RecordedTelemetry, recordTelemetry } from '../../tests/support/recorded-telemetry.ts'
import { createScriptedPublisher, type ScriptedPublisher } from '../../tests/support/scripted-publisher.ts'
import { seededRandom } from '../../tests/support/seeded-random.ts'
import { createVirtualClock, type VirtualClock } from '../../tests/support/virtual-clock.ts'
import type { OutboxOperations } from '../core/operations.ts'
import { createMemoryOutbox } from './memory-outbox.ts'
import type { Outbox } from './outbox.ts'
import { createOutboxOperations } from './outbox-operations.ts'
import { createRelay, type Relay } from './relay.ts'

const REFUSED = 'queue "warehouse": x-delivery-limit is to be 10, and is 5 on the broker'

describe('a committed event that is not delivered', () => {
  let clock: VirtualClock
  let outbox: Outbox
  let publisher: ScriptedPublisher
  let telemetry: RecordedTelemetry
  let relay: Relay
  let operations: OutboxOperations
  let isHeld: boolean

  beforeEach(() => {
    clock = createVirtualClock(0)
    outbox = createMemoryOutbox()
    publisher = createScriptedPublisher()
    telemetry = recordTelemetry()
    isHeld = true
    const lease = {
      get isHeld() {
        return isHeld
      },
      onHeld: () => () => {},
    }
    relay = createRelay({ outbox, publisher, lease, clock, random: () => 0, ...telemetry })
    operations = createOutboxOperations({ outbox, clock, waiting: relay.waiting })
  })

  afterEach(async () => {
    publisher.answer((call) => call.confirm())
    for (const call of publisher.calls) call.confirm()
    await relay.stop()
  })

  async function order(id: string, subject?: string): Promise<void> {
    await commitOrder(outbox, id, subject, clock.now())
    relay.wake()
    await clock.advance(0)
  }

  const warnings = () => telemetry.lines.filter(({ level }) => level === 'warn').map(({ facts }) => facts)

  test('shows why, how often it was sent and when it is sent next, in the list as by itself', async () => {
    publisher.answer((call) => call.giveBack())
    await order('a')
    await clock.advance(150)
    const shown = {
      id: 'a',
      state: 'committed',
      reason: 'the broker returned it: no queue is bound to exchange "shop.events" for "order.placed"',
      attempts: 2,
      nextAtMs: 300,
    }
    expect(await operations.show('a')).toMatchObject(shown)
    expect((await operations.list({ limit: 10 })).entries).toMatchObject([shown])
  })

  test('is sent again when the log and the list have said', async () => {
    const random = seededRandom(7)
    await relay.stop()
    relay = createRelay({
      outbox,
      publisher,
      lease: { isHeld: true, onHeld: () => () => {} },
      clock,
      random,
      ...telemetry,
    })
    operations = createOutboxOperations({ outbox, clock, waiting: relay.waiting })
    const came: number[] = []
    const listed: (number | undefined)[] = []
    publisher.answer(async (call) => {
      came.push(clock.now())
      listed.push((await operations.show('a')).nextAtMs)
      call.fail(new Error('nack'))
    })
    await order('a')
    await clock.advance(100_000)
    expect(came.length).toBeGreaterThan(8)
    expect(came.slice(1)).toEqual(listed.slice(1).map((ms) => ms ?? 0))
    const [first] = warnings()
    expect((came[1] ?? 0) - (came[0] ?? 0)).toBe(Number(first?.retryInMs))
  })

  test('is not promised an attempt while the broker is away', async () => {
    publisher.answer((call) => call.fail(new Error('nack')))
    await order('a')
    publisher.become({ name: 'away', reason: 'connection refused' })
    const shown = await operations.show('a')
    expect(shown).toMatchObject({ reason: 'the broker is away: connection refused', attempts: 1 })
    expect(shown).not.toHaveProperty('nextAtMs')
  })

  test('shows what the broker refuses', async () => {
    publisher.answer((call) => call.fail(new Error(REFUSED)))
    await order('a')
    expect(await operations.show('a')).toMatchObject({ reason: REFUSED, attempts: 1, nextAtMs: 100 })
  })

  test('shows that another event of its subject goes first', async () => {
    publisher.answer((call) => call.fail(new Error('nack')))
    await order('a1', 'a')
    await order('a2', 'a')
    await order('b', 'b')
    expect((await operations.show('a2')).reason).toBe('an earlier event of its subject goes first: nack')
    expect((await operations.show('b')).reason).toBe('nack')
  })

  test('shows why others that go where it goes are not taken, when it is not tried itself for that', async () => {
    publisher.answer((call) => call.fail(new Error(REFUSED)))
    for (let i = 0; i < 900; i++) await commitOrder(outbox, `n${i}`, `subject-${i}`)
    relay.wake()
    await clock.advance(10)
    expect((await operations.show('n899')).reason).toBe(`as others that go there: ${REFUSED}`)
  })

  test.each([
    { name: 'away', reason: 'connection refused', told: 'the broker is away: connection refused' },
    { name: 'blocked', reason: 'low on memory', told: 'the broker is blocked: low on memory' },
  ] as const)('shows that the broker is $name', async ({ told, ...state }) => {
    publisher.become(state)
    await order('a')
    expect((await operations.show('a')).reason).toBe(told)
  })

  test('shows in a gateway that does not deliver who knows', async () => {
    isHeld = false
    await order('a')
    expect((await operations.show('a')).reason).toContain('the one knows why whose sluice_relay_lease_held is 1')
  })

  test('shows no reason any more once nothing is in its way', async () => {
    publisher.answer((call) => call.fail(new Error('nack')))
    await order('a')
    publisher.answer(undefined)
    await clock.advance(200)
    expect((await operations.show('a')).reason).toBe('nack')
    publisher.calls.at(-1)?.confirm()
    await order('b')
    expect(await operations.show('b')).not.toHaveProperty('reason')
    expect(relay.waiting({ id: 'a', event: publisher.calls[0]?.event ?? never(), address: ADDRESS })).toBeUndefined()
  })

  test('is told in the log once for each reason and place to go, and a minute later with how many there were', async () => {
    publisher.answer((call) => call.fail(new Error(REFUSED)))
    for (let i = 0; i < 20; i++) await order(`n${i}`, `subject-${i}`)
    await clock.advance(50_000)
    expect(warnings()).toEqual([
      {
        id: 'n0',
        event: 'event-n0',
        ...ADDRESS,
        failures: 1,
        retryInMs: 100,
        reason: REFUSED,
      },
    ])
    const sent = publisher.calls.length
    expect(sent).toBeGreaterThan(150)
    await clock.advance(40_000)
    const [, second, ...rest] = warnings()
    expect(rest).toEqual([])
    expect(Number(second?.attemptsSinceToldLast)).toBeGreaterThanOrEqual(sent - 1)
  })

  test('is told in the log again at once for another reason', async () => {
    for (const [i, reason] of ['nack', 'no connection', 'nack'].entries()) {
      publisher.answer((call) => call.fail(new Error(reason)))
      await order(`n${i}`, `subject-${i}`)
    }
    expect(warnings().map(({ reason }) => reason)).toEqual(['nack', 'no connection'])
  })
})

const ADDRESS = { exchange: 'shop.events', routingKey: 'order.placed' }

function never(): never {
  throw new Error('nothing was published')
}
