import { beforeEach, describe, expect, test } from 'bun:test'
import { ADDRESS, DRAFT, orderPlaced } from '../../tests/support/outbox-conformance.ts'
import { type RecordedTelemetry, recordTelemetry } from '../../tests/support/recorded-telemetry.ts'
import { createVirtualClock, type VirtualClock } from '../../tests/support/virtual-clock.ts'
import type { EventBus, Step } from '../core/events.ts'
import { createEventBus } from './event-bus.ts'
import { createMemoryOutbox } from './memory-outbox.ts'
import { type Outbox, RECEIPT_MS } from './outbox.ts'

const FROM_ALICE = { ...DRAFT, caller: 'alice' }

describe('The event bus, for commands', () => {
  let clock: VirtualClock
  let outbox: Outbox
  let telemetry: RecordedTelemetry
  let steps: Step[]
  let woken: number
  let bus: EventBus

  beforeEach(() => {
    clock = createVirtualClock(1_000)
    outbox = createMemoryOutbox({ capacity: 2 })
    telemetry = recordTelemetry()
    steps = []
    woken = 0
    bus = createEventBus({
      outbox,
      clock,
      random: () => 0,
      createId: () => 'intent-1',
      wake: () => woken++,
      onStep: (step) => void steps.push(step),
      ...telemetry,
    })
  })

  test('accepts an event that is due at once, under its own id', async () => {
    await bus.accept(orderPlaced('event-1', 'order-1'), ADDRESS, FROM_ALICE)
    expect(await outbox.due(10, new Set())).toEqual([
      { id: 'event-1', event: orderPlaced('event-1', 'order-1'), address: ADDRESS, committedAtMs: 1_000 },
    ])
    expect(woken).toBe(1)
  })

  test('takes a repeat for accepted, and adds nothing, before and after the delivery', async () => {
    for (let i = 0; i < 2; i++) await bus.accept(orderPlaced('event-1'), ADDRESS, FROM_ALICE)
    expect((await outbox.counts()).committed).toBe(1)
    await outbox.delivered('event-1', clock.now())
    await bus.accept(orderPlaced('event-1'), ADDRESS, FROM_ALICE)
    expect((await outbox.counts()).committed).toBe(0)
  })

  test('refuses a command the outbox has no room for, and one it cannot store', async () => {
    for (const id of ['a', 'b']) await bus.accept(orderPlaced(id), ADDRESS, DRAFT)
    const overloaded = { code: 'overloaded', headers: { 'retry-after': '5' } }
    await expect(bus.accept(orderPlaced('c'), ADDRESS, DRAFT)).rejects.toMatchObject(overloaded)
    outbox.add = async () => {
      throw new Error('database or disk is full')
    }
    await expect(bus.accept(orderPlaced('d'), ADDRESS, DRAFT)).rejects.toMatchObject(overloaded)
    expect(telemetry.valueOf('sluice_outbox_refused_total')).toBe(2)
    expect(woken).toBe(2)
  })

  test('tells what became of a command: accepted, parked, published, forgotten after a day', async () => {
    await bus.accept(orderPlaced('event-1'), ADDRESS, FROM_ALICE)
    expect(await bus.status('event-1')).toEqual({ state: 'accepted', atMs: 1_000, caller: 'alice' })
    await outbox.park('event-1', 'no queue', 2_000)
    expect(await bus.status('event-1')).toEqual({ state: 'parked', atMs: 2_000, reason: 'no queue', caller: 'alice' })
    await outbox.requeue('event-1', 3_000)
    expect(await bus.status('event-1')).toMatchObject({ state: 'accepted' })
    await outbox.delivered('event-1', 4_000)
    expect(await bus.status('event-1')).toEqual({ state: 'published', atMs: 4_000, caller: 'alice' })
    clock.jump(RECEIPT_MS + 3_001)
    expect(await bus.status('event-1')).toBeUndefined()
    await bus.accept(orderPlaced('event-1'), ADDRESS, FROM_ALICE)
    expect(await bus.status('event-1')).toMatchObject({ state: 'accepted' })
  })

  test('knows nothing of what nobody sent, and says nothing of an intent', async () => {
    expect(await bus.status('nobody')).toBeUndefined()
    const intent = await bus.intend(DRAFT)
    expect(await bus.status(intent.id)).toBeUndefined()
    await intent.unknown('timeout')
    expect(await bus.status(intent.id)).toBeUndefined()
  })

  test('waits at each step for whoever is told of it', async () => {
    const intent = await bus.intend(DRAFT)
    await bus.onStep?.('during-upstream-call')
    await intent.commit(orderPlaced('event-1'), ADDRESS)
    expect(steps).toEqual(['before-intent', 'after-intent', 'during-upstream-call', 'after-commit'])
    const stopping = createEventBus({
      outbox,
      clock,
      random: () => 0,
      createId: () => 'intent-2',
      wake: () => woken++,
      onStep: () => new Promise(() => {}),
      ...telemetry,
    })
    void stopping.intend(DRAFT)
    await clock.advance(1_000)
    expect(await outbox.find('intent-2')).toBeUndefined()
  })
})
