import { beforeEach, describe, expect, test } from 'bun:test'
import { orderPlaced } from '../../tests/support/outbox-conformance.ts'
import { type RecordedTelemetry, recordTelemetry } from '../../tests/support/recorded-telemetry.ts'
import { createVirtualClock, type VirtualClock } from '../../tests/support/virtual-clock.ts'
import type { EventBus } from '../core/events.ts'
import { createEventBus } from './event-bus.ts'
import { createMemoryOutbox } from './memory-outbox.ts'
import type { Outbox } from './outbox.ts'

const DRAFT = { route: 'place-order', method: 'POST', path: '/orders', idempotencyKey: 'key-1' }
const ADDRESS = { exchange: 'shop.events', routingKey: 'order.placed' }

describe('The event bus', () => {
  let clock: VirtualClock
  let outbox: Outbox
  let telemetry: RecordedTelemetry
  let bus: EventBus
  /** What was due each time the relay was woken. */
  let woken: Promise<number>[]

  beforeEach(() => {
    clock = createVirtualClock(1_000)
    outbox = createMemoryOutbox({ capacity: 2 })
    telemetry = recordTelemetry()
    woken = []
    let ids = 0
    bus = createEventBus({
      outbox,
      clock,
      random: () => 0,
      createId: () => `intent-${++ids}`,
      wake: () => woken.push(outbox.due(10, new Set()).then(({ length }) => length)),
      ...telemetry,
    })
  })

  test('notes the intent before anything else', async () => {
    const intent = await bus.intend(DRAFT)
    expect(intent.id).toBe('intent-1')
    expect(await outbox.list('pending', 10)).toEqual([
      { id: 'intent-1', state: 'pending', draft: DRAFT, intendedAtMs: 1_000, attempts: 0 },
    ])
    expect(woken).toEqual([])
  })

  test('wakes the relay once the event is stored', async () => {
    const intent = await bus.intend(DRAFT)
    await clock.advance(50)
    await intent.commit(orderPlaced('event-1', 'order-1'), ADDRESS)
    expect(await Promise.all(woken)).toEqual([1])
    expect(await outbox.due(10, new Set())).toEqual([
      { id: 'intent-1', event: orderPlaced('event-1', 'order-1'), address: ADDRESS, committedAtMs: 1_050 },
    ])
  })

  test('forgets a rejected intent and keeps an unknown one with its reason', async () => {
    const refused = await bus.intend(DRAFT)
    await refused.reject()
    const doubtful = await bus.intend(DRAFT)
    await doubtful.unknown('upstream-timeout')
    expect(await outbox.counts()).toEqual({ pending: 0, committed: 0, unknown: 1, parked: 0 })
    expect(await outbox.list('unknown', 1)).toMatchObject([{ reason: 'upstream-timeout' }])
    expect(woken).toEqual([])
  })

  test('refuses the request when the outbox is full, and tells when to come again', async () => {
    await bus.intend(DRAFT)
    await bus.intend(DRAFT)
    await expect(bus.intend(DRAFT)).rejects.toMatchObject({ code: 'overloaded', headers: { 'retry-after': '5' } })
    expect(telemetry.valueOf('sluice_outbox_refused_total')).toBe(1)
  })

  test('refuses the request when the intent cannot be stored', async () => {
    outbox.intend = async () => {
      throw new Error('database or disk is full')
    }
    await expect(bus.intend(DRAFT)).rejects.toMatchObject({ code: 'overloaded' })
    expect(telemetry.lines).toMatchObject([{ level: 'error', facts: { reason: 'database or disk is full' } }])
  })

  test('takes one outcome only', async () => {
    const intent = await bus.intend(DRAFT)
    await intent.reject()
    await expect(intent.commit(orderPlaced('event-1'), ADDRESS)).rejects.toThrow('its outcome is "reject" already')
    expect((await outbox.counts()).committed).toBe(0)
  })

  test('tells the caller that an outcome could not be stored, and stores it as soon as it can', async () => {
    const { commit } = outbox
    outbox.commit = async () => {
      throw new Error('database or disk is full')
    }
    const intent = await bus.intend(DRAFT)
    await expect(intent.commit(orderPlaced('event-1'), ADDRESS)).rejects.toThrow('disk is full')
    await clock.advance(60_000)
    expect((await outbox.counts()).pending).toBe(1)
    outbox.commit = commit
    await clock.advance(5_000)
    expect(await outbox.counts()).toMatchObject({ pending: 0, committed: 1, oldestCommittedAtMs: 1_000 })
    expect(await Promise.all(woken)).toEqual([1])
  })

  test('stops trying once the outbox is closed', async () => {
    const intent = await bus.intend(DRAFT)
    await outbox.close()
    await expect(intent.reject()).rejects.toThrow('it is closed')
    let tries = 0
    outbox.reject = async () => {
      tries++
    }
    await clock.advance(60_000)
    expect(tries).toBe(0)
  })
})
