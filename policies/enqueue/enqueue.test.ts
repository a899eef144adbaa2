import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { principal } from '../../gateway/core/keys.ts'
import { definePolicy } from '../../gateway/core/policy.ts'
import { createEventBus } from '../../gateway/events/event-bus.ts'
import { createMemoryOutbox } from '../../gateway/events/memory-outbox.ts'
import { createTestGateway, TEST_START, type TestGatewayOptions } from '../../tests/support/gateway.ts'
import { recordTelemetry } from '../../tests/support/recorded-telemetry.ts'
import { createVirtualClock } from '../../tests/support/virtual-clock.ts'

/** Stands in for authentication: the caller is who the header says. */
const signIn = definePolicy({
  name: 'sign-in',
  at: 'route',
  options: z.strictObject({}),
  provides: [principal],
  create: () =>
    async function signIn(exchange, next) {
      const id = exchange.request.headers.get('x-user')
      if (id !== null) exchange.set(principal, { id, claims: {}, via: 'sign-in' })
      return next()
    },
})

interface Setting extends TestGatewayOptions {
  readonly enqueue?: object
  /** Around `enqueue`, outside in. */
  readonly around?: readonly unknown[]
  readonly route?: object
}

/** A route that enqueues and one that tells what became of it. */
function enqueueing({ enqueue = {}, around = [], route = {}, ...options }: Setting = {}) {
  const given = {
    type: 'order.requested',
    exchange: 'shop.commands',
    'status-path': '/commands/{command.id}',
    ...enqueue,
  }
  const config = {
    version: 1,
    routes: {
      request: { path: '/orders/:shop', methods: ['POST'], policies: [...around, { enqueue: given }], ...route },
      command: { path: '/commands/:id', policies: ['sign-in', 'command-status'] },
    },
  }
  return createTestGateway({ register: [signIn], config: JSON.stringify(config), ...options })
}

type Gateway = Awaited<ReturnType<typeof enqueueing>>

const ORDER = { sku: 'MUG-001', quantity: 2 }

async function send(gateway: Gateway, body: unknown = ORDER, headers: Record<string, string> = {}) {
  const response = await gateway.fetch('/orders/north?x=1', {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  })
  const answer = (await response.json()) as Record<string, unknown>
  return { response, status: response.status, answer, id: String(answer.id) }
}

describe('enqueue', () => {
  test('answers 202 with the address of the status once the command is kept', async () => {
    const gateway = await enqueueing()
    const { response, answer } = await send(gateway)
    expect(response.status).toBe(202)
    expect(answer).toEqual({ id: 'id-2', status: 'accepted', href: '/commands/id-2' })
    expect(response.headers.get('location')).toBe('/commands/id-2')
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(gateway.events).toEqual([
      {
        route: 'request',
        outcome: 'committed',
        address: { exchange: 'shop.commands', routingKey: 'order.requested' },
        event: {
          id: 'id-2',
          source: 'urn:sluice:route:request',
          type: 'order.requested',
          time: new Date(TEST_START).toISOString(),
          data: ORDER,
          traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/),
        },
      },
    ])
    expect((await gateway.fetch('/commands/id-2')).status).toBe(200)
  })

  test('words the command as it is told to', async () => {
    const gateway = await enqueueing({
      around: ['sign-in'],
      enqueue: {
        'routing-key': 'orders.new',
        source: '/shop',
        subject: '{params.shop}/{body.sku}',
        data: '{body.quantity}',
        'status-path': '/commands/{command.id}?shop={params.shop}',
      },
    })
    const { answer } = await send(gateway, ORDER, { 'x-user': 'alice' })
    expect(answer.href).toBe('/commands/id-2?shop=north')
    expect(gateway.events[0]).toMatchObject({
      address: { routingKey: 'orders.new' },
      event: { source: '/shop', subject: 'north/MUG-001', data: 2 },
    })
  })

  test('carries on the trace of the client', async () => {
    const gateway = await enqueueing()
    const trace = '0af7651916cd43dd8448eb211c80319c'
    await send(gateway, ORDER, { traceparent: `00-${trace}-b7ad6b7169203331-01`, tracestate: 'shop=1' })
    const { traceparent, tracestate } = gateway.events[0]?.event ?? {}
    expect(tracestate).toBe('shop=1')
    expect(traceparent?.split('-')[1]).toBe(trace)
    expect(traceparent).not.toContain('b7ad6b7169203331')
  })

  test('notes who asked, where, and with which key', async () => {
    const drafts: unknown[] = []
    const accept = async (...[, , draft]: readonly unknown[]) => void drafts.push(draft)
    const events = { accept, status: async () => undefined, intend: () => Promise.reject(new Error('no intent here')) }
    const gateway = await enqueueing({ around: ['sign-in'], services: { events } })
    await send(gateway, ORDER, { 'x-user': 'alice', 'idempotency-key': 'k-1' })
    expect(drafts).toEqual([
      {
        route: 'request',
        method: 'POST',
        path: '/orders/north?x=1',
        caller: 'alice',
        idempotencyKey: 'k-1',
        traceparent: expect.any(String),
      },
    ])
  })
})

describe('enqueue, asked again with an Idempotency-Key', () => {
  const key = { 'idempotency-key': 'k-1', 'x-user': 'alice' }

  test('answers the same and enqueues nothing, whether or not an idempotency policy remembers', async () => {
    const gateway = await enqueueing({ around: ['sign-in'] })
    const first = await send(gateway, ORDER, key)
    expect(first.id).toMatch(/^[0-9a-f]{32}$/)
    const second = await send(gateway, ORDER, key)
    expect([second.status, second.answer]).toEqual([202, first.answer])
    expect(gateway.events).toHaveLength(1)
    expect(gateway.records.map(({ policies }) => policies)).toEqual([
      { enqueue: { event: first.id, outcome: 'accepted' } },
      { enqueue: { event: first.id, outcome: 'repeated' } },
    ])
  })

  test('has the first answer replayed by an idempotency policy outside it, Location included', async () => {
    const gateway = await enqueueing({ around: ['sign-in', { idempotency: { required: true } }] })
    const first = await send(gateway, ORDER, key)
    const second = await send(gateway, ORDER, key)
    expect([second.status, second.answer]).toEqual([202, first.answer])
    expect(second.response.headers.get('idempotent-replayed')).toBe('true')
    expect(second.response.headers.get('location')).toBe(String(first.answer.href))
    expect((await send(gateway, { ...ORDER, quantity: 3 }, key)).status).toBe(422)
    expect((await send(gateway, ORDER)).status).toBe(400)
    expect(gateway.events).toHaveLength(1)
  })

  test.each([
    { name: 'another key', body: ORDER, headers: { 'idempotency-key': 'k-2' } },
    { name: 'another caller', body: ORDER, headers: { 'x-user': 'bob' } },
    { name: 'other data', body: { ...ORDER, quantity: 3 }, headers: {} },
  ])('takes $name for another command', async ({ body, headers }) => {
    const gateway = await enqueueing({ around: ['sign-in'], enqueue: { subject: '{body.sku}' } })
    const first = await send(gateway, ORDER, key)
    const second = await send(gateway, body, { ...key, ...headers })
    expect(second.id).not.toBe(first.id)
    expect(gateway.events).toHaveLength(2)
  })

  test('tells callers without a name apart by their address', async () => {
    const gateway = await enqueueing()
    const from = (ip: string) =>
      gateway.fetch('/orders/a', { method: 'POST', body: '{}', headers: { 'idempotency-key': 'k' } }, { ip })
    const ids = []
    for (const ip of ['192.0.2.1', '192.0.2.2', '192.0.2.1'])
      ids.push(((await (await from(ip)).json()) as { id: string }).id)
    expect(ids[0]).toBe(String(ids[2]))
    expect(ids[0]).not.toBe(String(ids[1]))
  })
})

describe('enqueue, given what no queue should hold (EV-28)', () => {
  const schema = JSON.stringify({
    $id: 'https://shop.test/order.requested.json',
    type: 'object',
    required: ['sku'],
    properties: { sku: { type: 'string' }, quantity: { type: 'integer', minimum: 1 } },
  })
  const environment = {
    variable: () => undefined,
    file: (path: string) => (path === 'events/order.requested.schema.json' ? schema : undefined),
  }

  test.each([
    { name: 'NaN, which is no JSON', body: '{"quantity":NaN}', status: 400, code: 'invalid-request' },
    { name: 'half a document', body: '{"sku":', status: 400, code: 'invalid-request' },
    { name: 'nothing', body: '', status: 400, code: 'invalid-request' },
    { name: 'more than the route takes', body: `"${'x'.repeat(2_000)}"`, status: 413, code: 'body-too-large' },
    { name: 'a negative quantity', body: { ...ORDER, quantity: -1 }, status: 400, code: 'invalid-request' },
  ])('refuses $name and keeps nothing', async ({ body, status, code }) => {
    const gateway = await enqueueing({ route: { body: '1kB' }, environment })
    const refused = await send(gateway, body)
    expect([refused.status, refused.answer.type]).toEqual([status, `urn:sluice:problem:${code}`])
    expect(gateway.events).toEqual([])
  })

  test('tells every place where the data does not fit its schema', async () => {
    const gateway = await enqueueing({ environment })
    const { answer } = await send(gateway, { quantity: 'two' })
    expect(answer.mistakes).toEqual([
      { path: 'sku', message: expect.stringContaining('expected string') },
      { path: 'quantity', message: expect.stringContaining('expected number') },
    ])
    expect((await send(gateway)).status).toBe(202)
    expect(gateway.events[0]?.event?.dataschema).toBe('https://shop.test/order.requested.json')
  })

  test('refuses a subject that no message can carry', async () => {
    const gateway = await enqueueing({ enqueue: { subject: '{body.sku}' } })
    const refused = await send(gateway, { sku: 'é'.repeat(600) })
    expect([refused.status, refused.answer.detail]).toEqual([
      400,
      'The subject of the command takes more than 1024 bytes',
    ])
    expect((await send(gateway, { sku: 'é'.repeat(500) })).status).toBe(202)
    expect(gateway.events).toHaveLength(1)
  })
})

describe('enqueue, when the outbox cannot take the command', () => {
  test('answers 503 with Retry-After when the outbox is full, and takes commands again when it is not', async () => {
    const outbox = createMemoryOutbox({ capacity: 1 })
    const clock = createVirtualClock(TEST_START)
    const parts = { clock, random: () => 0, createId: () => crypto.randomUUID(), wake: () => {}, ...recordTelemetry() }
    const gateway = await enqueueing({ services: { events: createEventBus({ outbox, ...parts }) } })
    const first = await send(gateway)
    expect(first.status).toBe(202)
    const second = await send(gateway)
    expect([second.status, second.answer.type, second.response.headers.get('retry-after')]).toEqual([
      503,
      'urn:sluice:problem:overloaded',
      '5',
    ])
    expect((await outbox.due(10, new Set())).map(({ event }) => event.id)).toEqual([first.id])
    await outbox.delivered(first.id, TEST_START)
    expect((await send(gateway)).status).toBe(202)
  })

  test('answers 503 when the disk is broken, and lets the key be used again', async () => {
    let isBroken = true
    const accept = async () => {
      if (isBroken) throw new Error('disk I/O error')
    }
    const events = { accept, status: async () => undefined, intend: () => Promise.reject(new Error('no intent here')) }
    const gateway = await enqueueing({ around: [{ idempotency: { required: true } }], services: { events } })
    const refused = await send(gateway, ORDER, { 'idempotency-key': 'k' })
    expect([refused.status, refused.response.headers.get('retry-after')]).toEqual([503, '5'])
    expect(JSON.stringify(refused.answer)).not.toContain('disk')
    isBroken = false
    expect((await send(gateway, ORDER, { 'idempotency-key': 'k' })).status).toBe(202)
  })
})
