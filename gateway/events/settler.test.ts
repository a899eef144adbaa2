import { afterEach, describe, expect, test } from 'bun:test'
import { type Answering, createSettlerBench } from '../../tests/support/settler-bench.ts'
import { GatewayError } from '../core/errors.ts'
import { UnknownUpstream } from '../core/own-request.ts'

type Bench = ReturnType<typeof createSettlerBench>
let bench: Bench

afterEach(() => bench?.settler.stop())

const placed =
  (id = 'o-1', status = 201) =>
  () =>
    Response.json({ id, total: 5 }, { status })
const status =
  (code: number, headers: Record<string, string> = {}, body = '') =>
  () =>
    new Response(body, { status: code, headers })
const fails =
  (code: 'circuit-open' | 'upstream-timeout' | 'upstream-unreachable', headers = {}) =>
  (): Response => {
    throw new GatewayError(code, { headers })
  }
const MINUTE = 60_000

async function settled(answer: Answering, ms: number, changes = {}, draft = {}) {
  bench = createSettlerBench(answer)
  await bench.leaveUnknown('a', changes, draft)
  await bench.clock.advance(ms)
  return bench.stateOf('a')
}

describe('the settler, by replay', () => {
  test('commits the event of a request the upstream had accepted', async () => {
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
    const entry = await settled(placed(), 1_000, {}, { traceparent, idempotencyKey: 'k'.repeat(60_000) })
    expect(entry).toMatchObject({
      state: 'committed',
      event: {
        id: 'a',
        source: 'urn:shop',
        type: 'order.placed',
        subject: 'o-1',
        data: { id: 'o-1', total: 5 },
        traceparent,
      },
      address: { exchange: 'shop.events', routingKey: 'order.placed' },
    })
    expect(bench.woken).toBe(1)
    expect(bench.asked).toHaveLength(1)
    // The settler's own lives on, and would keep all that still listens.
    expect(bench.asked[0]?.request.signal.aborted).toBe(true)
    expect(bench.asked[0]).toMatchObject({
      upstream: 'orders',
      request: { route: 'place-order', method: 'POST', path: '/orders', traceparent, body: btoa('{"key":"key-a"}') },
    })
    expect(bench.telemetry.valueOf('sluice_settle_total')).toBe(1)
    expect(bench.telemetry.lines).toContainEqual({
      level: 'info',
      message: 'Settled an unknown outcome',
      facts: {
        event: 'a',
        route: 'place-order',
        method: 'POST',
        path: '/orders',
        idempotencyKey: 'k'.repeat(255),
        outcome: 'committed',
        subject: 'o-1',
      },
    })
  })

  test.each([{ code: 400 }, { code: 402 }, { code: 413 }, { code: 415 }, { code: 422 }, { code: 451 }])(
    'lets go of a request the upstream refuses with $code',
    async ({ code }) => {
      expect(await settled(status(code, {}, '{"title":"no such sku"}'), 1_000)).toEqual({ state: 'gone' })
      expect(bench.woken).toBe(0)
    },
  )

  test.each([
    { code: 401 },
    { code: 403 },
    { code: 404 },
    { code: 405 },
    { code: 408 },
    { code: 409 },
    { code: 410 },
    { code: 412 },
    { code: 425 },
    { code: 429 },
    { code: 302 },
    { code: 500 },
    { code: 503 },
  ])('does not know what $code means, and asks again', async ({ code }) => {
    let calls = 0
    const answer = () => (++calls < 3 ? status(code)() : placed()())
    expect(await settled(answer, 1_000)).toMatchObject({
      state: 'unknown',
      attempts: 1,
      reason: expect.stringContaining(`status ${code}`),
    })
    await bench.clock.advance(MINUTE)
    expect(await bench.stateOf('a')).toMatchObject({ state: 'committed' })
    expect(bench.asked).toHaveLength(3)
  })

  test.each([
    { name: 'an open circuit', answer: fails('circuit-open'), reason: 'circuit-open' },
    { name: 'a timeout', answer: fails('upstream-timeout'), reason: 'upstream-timeout' },
    { name: 'a lost connection', answer: fails('upstream-unreachable'), reason: 'upstream-unreachable' },
    {
      name: 'a reply that breaks off',
      answer: () => new Response(new ReadableStream({ pull: (controller) => controller.error(new Error('reset')) })),
      reason: 'upstream-invalid-response',
    },
    {
      name: 'an upstream that never answers',
      answer: () => new Promise<Response>(() => {}),
      reason: 'upstream-timeout',
      ms: 31_000,
    },
    {
      name: 'a reply that never ends',
      answer: () => new Response(new ReadableStream({ pull: () => new Promise(() => {}) })),
      reason: 'upstream-timeout',
      ms: 31_000,
    },
  ])('asks again after $name', async ({ answer, reason, ms = 1_000 }) => {
    expect(await settled(answer, ms)).toMatchObject({ state: 'unknown', attempts: 1, reason })
  })

  test('waits longer each time, at most a minute, and parks when the bound is reached', async () => {
    const entry = await settled(status(409), 11 * MINUTE)
    expect(entry).toMatchObject({ state: 'parked', reason: 'not settled within 600 s, asked 16 times: status 409' })
    const seconds = bench.asked.map(({ atMs }) => Math.round(atMs / 1_000))
    expect(seconds.slice(0, 8)).toEqual([1, 2, 4, 8, 16, 32, 64, 124])
    expect(seconds.at(-1)).toBe(598)
    expect(bench.telemetry.valueOf('sluice_events_parked_total')).toBe(1)
    expect(bench.telemetry.lines.filter(({ level }) => level === 'error')).toHaveLength(1)
  })

  test('asks on when the clock is set back by a day in between', async () => {
    let calls = 0
    bench = createSettlerBench(() => (++calls === 1 ? fails('upstream-unreachable')() : placed()()))
    await bench.leaveUnknown('a')
    await bench.clock.advance(1_000)
    bench.clock.jump(-1_440 * MINUTE)
    await bench.clock.advance(5_000)
    expect(await bench.stateOf('a')).toMatchObject({ state: 'committed' })
  })

  test('never asks later than the bound allows: the upstream may have forgotten the key', async () => {
    bench = createSettlerBench(placed())
    await bench.leaveUnknown('a')
    bench.charge(false)
    await bench.clock.advance(15 * MINUTE)
    bench.charge(true)
    await bench.clock.advance(2_000)
    const reason = 'not asked again for 901 s, and settle-within (600 s) allows no later: upstream-timeout'
    expect(await bench.stateOf('a')).toMatchObject({ state: 'parked', reason })
    expect(bench.asked).toEqual([])
    await bench.outbox.requeue('a', bench.clock.now())
    await bench.clock.advance(2_000)
    expect(await bench.stateOf('a')).toMatchObject({ state: 'committed' })
  })

  test.each([
    {
      name: 'knows the key with another request',
      answer: status(422, {}, '{"type":"urn:shop:problem:idempotency-key-reused"}'),
      reason: 'the upstream answered 422 and speaks of the Idempotency-Key: it knows the key with another request',
    },
    {
      name: 'answers something no event can be made of',
      answer: () => new Response('<html>', { status: 201 }),
      reason: 'the upstream answered 201, but no event can be made of it: the response body is not valid JSON',
    },
    {
      name: 'answers more than the event may hold',
      answer: () => Response.json('x'.repeat(20_000)),
      reason: 'the upstream answered 200, but no event can be made of it: the response body has more than 10000 bytes',
    },
    {
      name: 'is no longer in the configuration',
      answer: (): Response => {
        throw new UnknownUpstream('orders')
      },
      reason: 'there is no upstream "orders" in the configuration any more',
    },
  ])('parks at once when the upstream $name', async ({ answer, reason }) => {
    expect(await settled(answer, 1_000)).toMatchObject({ state: 'parked', reason })
    expect(bench.asked).toHaveLength(1)
  })

  test('parks an event whose data does not fit its schema, and does not send it', async () => {
    bench = createSettlerBench(placed(), (type) => ({ misfit: () => `${type} must be free`, misfits: () => [] }))
    await bench.leaveUnknown('a')
    await bench.clock.advance(1_000)
    expect(await bench.stateOf('a')).toMatchObject({
      state: 'parked',
      reason: 'order.placed must be free',
      event: { subject: 'o-1' },
    })
    expect(bench.woken).toBe(0)
  })
})

describe('the settler, by probe', () => {
  const PROBE = { mode: 'probe', request: { method: 'GET', path: '/orders/by-key/k', headers: [] } } as const

  test('commits the event of what it finds', async () => {
    expect(await settled(placed('o-7', 200), 1_000, PROBE)).toMatchObject({
      state: 'committed',
      event: { subject: 'o-7' },
    })
  })

  test('believes that there is nothing once half of the bound has passed, not before', async () => {
    expect(await settled(status(404), 5 * MINUTE - 1_000, PROBE)).toMatchObject({
      state: 'unknown',
      reason: 'not there yet',
    })
    await bench.clock.advance(2 * MINUTE)
    expect(await bench.stateOf('a')).toEqual({ state: 'gone' })
  })

  test('takes no refusal for an answer, and parks at the end', async () => {
    expect(await settled(status(400), 11 * MINUTE, PROBE)).toMatchObject({
      state: 'parked',
      reason: expect.stringContaining('status 400'),
    })
  })

  test('asks once however late it is', async () => {
    bench = createSettlerBench(status(404))
    await bench.leaveUnknown('a', PROBE)
    bench.charge(false)
    await bench.clock.advance(60 * MINUTE)
    bench.charge(true)
    await bench.clock.advance(1_000)
    expect(await bench.stateOf('a')).toEqual({ state: 'gone' })
  })
})

describe('the settler, of what cannot be settled', () => {
  test.each([
    {
      name: 'the route leaves to an operator',
      draft: {},
      reason: 'upstream-timeout; the route leaves that to an operator (settle: park)',
    },
    {
      name: 'could not be kept',
      draft: { cannotSettle: 'the request body has 9 bytes' },
      reason: 'upstream-timeout; the request body has 9 bytes',
    },
  ])('parks at once what $name', async ({ draft, reason }) => {
    bench = createSettlerBench(placed())
    await bench.outbox.intend('a', { route: 'r', method: 'POST', path: '/', ...draft }, 1)
    await bench.outbox.markUnknown('a', 'upstream-timeout')
    await bench.clock.advance(1_000)
    expect(await bench.stateOf('a')).toMatchObject({ state: 'parked', reason })
    expect(bench.asked).toEqual([])
  })
})
