import { describe, expect, test } from 'bun:test'
import { sleep } from '../../gateway/core/clock.ts'
import type { Step, StepHook } from '../../gateway/core/events.ts'
import { LEFT_WITHOUT_OUTCOME } from '../../gateway/events/outbox.ts'
import { until } from '../../tests/support/real-time.ts'
import { createSettlingGateway } from '../../tests/support/settling-gateway.ts'
import { createOrderService, type Happening } from './test-order-service.ts'

const PUBLISH = { publish: { type: 'order.placed', exchange: 'shop.events', subject: '{response.body.id}' } }
const order = (quantity: number, key?: string): RequestInit => ({
  method: 'POST',
  body: JSON.stringify({ quantity }),
  headers: { 'content-type': 'application/json', ...(key === undefined ? {} : { 'idempotency-key': key }) },
})

async function shop(
  happen: () => Happening,
  { policies = [PUBLISH], onStep }: { policies?: unknown[]; onStep?: StepHook } = {},
) {
  const service = createOrderService(happen, (ms) => sleep(scene.clock, ms))
  const scene: Awaited<ReturnType<typeof createSettlingGateway>> = await createSettlingGateway({
    policies,
    upstream: service.answer,
    ...(onStep && { onStep }),
  })
  return { ...scene, service }
}

/** mulberry32 */
function sequence(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return ((value ^ (value >>> 14)) >>> 0) / 0x1_0000_0000
  }
}

describe('orders whose answers are lost', () => {
  test.each([
    { name: 'the answer was lost', happening: 'lose the answer', status: 502 },
    { name: 'the reply broke off', happening: 'break off', status: 201 },
    { name: 'the service failed after it', happening: 'fail after', status: 500 },
    { name: 'the service answered after the timeout', happening: 'slow', status: 504 },
  ] as const)('are announced once when $name', async ({ happening, status }) => {
    const happenings: Happening[] = [happening]
    const { gateway, clock, committed, service } = await shop(() => happenings.shift() ?? 'answer')
    const answer = gateway.fetch('/x/1', order(2))
    await clock.advance(10_000)
    expect((await answer).status).toBe(status)
    await clock.advance(30_000)
    expect(service.ids()).toEqual(['order-1'])
    expect((await committed()).map(({ subject, data }) => ({ subject, data }))).toEqual([
      { subject: 'order-1', data: { id: 'order-1', quantity: 2 } },
    ])
  })

  test('are not announced when the service refuses them', async () => {
    const happenings: Happening[] = ['lose the request']
    const { gateway, clock, outbox } = await shop(() => happenings.shift() ?? 'answer')
    await gateway.fetch('/x/1', order(0))
    expect(await outbox.counts()).toMatchObject({ unknown: 1 })
    await clock.advance(2_000)
    expect(await outbox.counts()).toEqual({ pending: 0, committed: 0, unknown: 0, parked: 0 })
  })

  test('are the same event when the client asks again and the gateway does too', async () => {
    const happenings: Happening[] = ['lose the answer', 'answer']
    const { gateway, clock, committed, service } = await shop(() => happenings.shift() ?? 'answer')
    await gateway.fetch('/x/1', order(1, 'key-1'))
    expect((await gateway.fetch('/x/1', order(1, 'key-1'))).status).toBe(201)
    await clock.advance(5_000)
    await until('both events', async () => (await committed()).length === 2)
    const ids = (await committed()).map(({ id }) => id)
    expect(new Set(ids).size).toBe(1)
    expect(ids[0]).toMatch(/^[0-9a-f]{32}$/)
    expect(service.ids()).toEqual(['order-1'])
  })
})

describe('a gateway that dies (EV-02, EV-03)', () => {
  /** Stops for ever at a step, as a process does that is killed there; everything after it goes on. */
  function dyingAt(step: Step) {
    const dead = Promise.withResolvers<void>()
    let isAlive = true
    const onStep: StepHook = (at) => {
      if (!isAlive || at !== step) return
      isAlive = false
      dead.resolve()
      return new Promise(() => {})
    }
    return { onStep, dead: dead.promise }
  }

  test.each([
    { name: 'between the answer and its note', step: 'after-reply' },
    { name: 'while the upstream works', step: 'during-upstream-call' },
    { name: 'before the upstream is called', step: 'after-intent' },
  ] as const)('$name leaves an intent behind from which the order gets its one event', async ({ step }) => {
    const { onStep, dead } = dyingAt(step)
    const { gateway, clock, outbox, committed, service } = await shop(() => 'answer', { onStep })
    void gateway.fetch('/x/1', order(3, 'key-1'))
    await dead
    const [left] = await outbox.list('pending', 10)
    // What the next process does with what it finds.
    await outbox.markUnknown(left?.id ?? '', LEFT_WITHOUT_OUTCOME)
    expect((await gateway.fetch('/x/1', order(3, 'key-1'))).status).toBe(201)
    await clock.advance(5_000)
    await until('both events', async () => (await committed()).length === 2)
    expect(service.ids()).toEqual(['order-1'])
    const events = await committed()
    expect(new Set(events.map(({ id }) => id)).size).toBe(1)
  })
})

describe('fifty requests with one key at once (EV-26)', () => {
  test('are one order and one event', async () => {
    const policies = [{ idempotency: { required: true } }, PUBLISH]
    const { gateway, clock, committed, service } = await shop(() => 'answer', { policies })
    const answers = await Promise.all(Array.from({ length: 50 }, () => gateway.fetch('/x/1', order(1, 'key-1'))))
    const statuses = answers.map(({ status }) => status)
    expect(statuses.filter((status) => status === 201).length).toBeGreaterThan(0)
    expect(statuses.every((status) => status === 201 || status === 409)).toBe(true)
    await clock.advance(1_000)
    expect([service.ids(), service.calls]).toEqual([['order-1'], 1])
    expect(await committed()).toHaveLength(1)
  })

  test('are one order and one event id without the idempotency policy too', async () => {
    const { gateway, committed, service } = await shop(() => 'answer')
    await Promise.all(Array.from({ length: 50 }, () => gateway.fetch('/x/1', order(1, 'key-1'))))
    expect(service.ids()).toEqual(['order-1'])
    expect(new Set((await committed()).map(({ id }) => id)).size).toBe(1)
  })
})

describe('an order that is not valid (EV-28)', () => {
  test.each([
    { name: 'one the service refuses', body: '{"quantity":0}', status: 400 },
    { name: 'one that is too large', body: JSON.stringify({ quantity: 1, note: 'x'.repeat(1_100_000) }), status: 413 },
  ])('leaves nothing in the outbox: $name', async ({ body, status }) => {
    const { gateway, outbox } = await shop(() => 'answer')
    expect((await gateway.fetch('/x/1', { ...order(0), body })).status).toBe(status)
    expect(await outbox.counts()).toEqual({ pending: 0, committed: 0, unknown: 0, parked: 0 })
  })
})

describe('whatever happens', () => {
  const MISHAPS: readonly Happening[] = [
    'fail before',
    'fail after',
    'lose the request',
    'lose the answer',
    'break off',
    'slow',
  ]

  test.each(Array.from({ length: 20 }, (_, seed) => ({ seed })))(
    'the orders that are there are the orders that are announced (seed $seed)',
    async ({ seed }) => {
      const random = sequence(seed)
      const pick = <T>(list: readonly [T, ...T[]]): T => list[Math.floor(random() * list.length)] ?? list[0]
      const happen = () => (random() < 0.5 ? 'answer' : pick(MISHAPS as [Happening, ...Happening[]]))
      const { gateway, clock, outbox, committed, service } = await shop(happen)
      let unanswered = 0
      for (let i = 0; i < 25; i++) {
        // Few keys, so that clients repeat themselves, and use a key for another order too.
        const key = random() < 0.3 ? undefined : `key-${Math.floor(random() * 15)}`
        unanswered++
        void gateway.fetch('/x/1', order(Math.floor(random() * 3), key)).then(() => unanswered--)
        await clock.advance(Math.floor(random() * 3_000))
      }
      await until('every outcome', async () => {
        await clock.advance(15_000)
        const { pending, unknown } = await outbox.counts()
        return unanswered + pending + unknown === 0
      })
      const events = await committed()
      const bySubject = Map.groupBy(events, ({ subject }) => subject)
      expect([...bySubject.keys()].map(String).sort()).toEqual(service.ids())
      expect(service.ids().length).toBeGreaterThan(0)
      for (const repeats of bySubject.values()) expect(new Set(repeats.map(({ id }) => id)).size).toBe(1)
      expect(new Set(events.map(({ id }) => id)).size).toBe(bySubject.size)
      expect(await outbox.counts()).toMatchObject({ pending: 0, unknown: 0 })
      for (const { reason } of await outbox.list('parked', 100)) expect(reason).toContain('another request')
    },
  )
})
