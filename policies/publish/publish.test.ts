import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { GatewayError } from '../../gateway/core/errors.ts'
import type { EventBus } from '../../gateway/core/events.ts'
import { definePolicy } from '../../gateway/core/policy.ts'
import {
  createTestGateway,
  NobodyThere,
  type ScriptedUpstream,
  TEST_START,
  type TestGatewayOptions,
} from '../../tests/support/gateway.ts'

const ORDER = { id: 'o-1', items: [{ sku: 'tea', quantity: 2 }] }
const SHOP = { type: 'order.placed', exchange: 'shop.events', subject: '{response.body.id}', data: '{response.body}' }

const created =
  (body: unknown = ORDER, init: ResponseInit = {}) =>
  () =>
    new Response(typeof body === 'string' ? body : JSON.stringify(body), { status: 201, ...init })

const publishing = (upstream: ScriptedUpstream, options: Record<string, unknown> = {}, more: TestGatewayOptions = {}) =>
  createTestGateway({ policies: [{ publish: { ...SHOP, ...options } }], upstream, ...more })

const order = (headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  body: '{"note":"quick"}',
  headers,
})

describe('publish, before the upstream is called', () => {
  test('notes no intent for a body that never arrives', async () => {
    const gateway = await publishing(created())
    const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(new Uint8Array(1)) })
    const leaving = new AbortController()
    const init = { method: 'POST', body, duplex: 'half' } as RequestInit
    const answer = gateway.fetch('/x/1', init, { ip: '192.0.2.1', gone: leaving.signal })
    await gateway.clock.advance(0)
    leaving.abort()
    expect((await answer).status).toBe(499)
    expect(gateway.events).toEqual([])
    expect(gateway.upstreamRequests).toEqual([])
  })
})

describe('publish, when the upstream accepts', () => {
  test('commits one event made of the response', async () => {
    const gateway = await publishing(created())
    const response = await gateway.fetch('/x/1', order())
    expect(response.status).toBe(201)
    expect(gateway.events).toEqual([
      {
        route: 'route',
        outcome: 'committed',
        event: {
          id: 'event-1',
          source: 'urn:sluice:route:route',
          type: 'order.placed',
          subject: 'o-1',
          time: new Date(TEST_START).toISOString(),
          data: ORDER,
          traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/),
        },
        address: { exchange: 'shop.events', routingKey: 'order.placed' },
      },
    ])
    expect(gateway.records[0]?.policies).toEqual({ publish: { event: 'event-1', outcome: 'accepted' } })
  })

  test('passes the bytes and fields of the response on unchanged', async () => {
    const text = '{ "id" : "ö-1",\n "items":[] }\n'
    const headers = { 'content-type': 'application/json; charset=utf-8', location: '/orders/1', etag: '"7"' }
    const gateway = await publishing(created(text, { headers }))
    const response = await gateway.fetch('/x/1', order())
    expect(await response.text()).toBe(text)
    for (const [name, value] of Object.entries(headers)) expect(response.headers.get(name)).toBe(value)
  })

  test('takes routing key, source and data as configured', async () => {
    const gateway = await publishing(created(), {
      'routing-key': 'orders.eu',
      source: 'urn:shop',
      subject: '{params.id}/{response.status}',
      data: '{response.headers.x-order}',
    })
    await gateway.fetch('/x/7', order())
    const [intent] = gateway.events
    expect(intent?.address?.routingKey).toBe('orders.eu')
    expect(intent?.event).toMatchObject({ source: 'urn:shop', subject: '7/201', data: null })
  })

  test('asks the upstream for an uncompressed reply, because it has to read it', async () => {
    const gateway = await publishing(created())
    await gateway.fetch('/x/1', order({ 'accept-encoding': 'gzip, br' }))
    expect(gateway.upstreamRequests[0]?.headers.get('accept-encoding')).toBe('identity')
  })

  test('neither reads nor holds back a response its templates do not need', async () => {
    const stream = new TransformStream<Uint8Array, Uint8Array>()
    const endless = () => new Response(stream.readable)
    const gateway = await publishing(endless, { subject: '{params.id}', data: '{body.note}' })
    const response = await gateway.fetch('/x/1', order({ 'accept-encoding': 'gzip' }))
    expect(gateway.events[0]?.event).toMatchObject({ subject: '1', data: 'quick' })
    expect(gateway.upstreamRequests[0]?.headers.get('accept-encoding')).toBe('gzip')
    stream.writable.close()
    expect(await response.text()).toBe('')
  })

  test('leaves out a subject that comes out empty', async () => {
    const gateway = await publishing(created({ total: 1 }))
    await gateway.fetch('/x/1', order())
    expect(gateway.events[0]?.outcome).toBe('committed')
    expect(gateway.events[0]?.event).not.toHaveProperty('subject')
  })

  test('has no data when a 204 brings none', async () => {
    const gateway = await publishing(() => new Response(null, { status: 204 }))
    expect((await gateway.fetch('/x/1', order())).status).toBe(204)
    expect(gateway.events[0]).toMatchObject({ outcome: 'committed', event: { data: null } })
  })
})

describe('publish, when the event cannot be built', () => {
  test.each([
    { name: 'is not JSON', body: '<html>', reason: 'the response body is not valid JSON' },
    {
      name: 'is larger than allowed',
      body: JSON.stringify('x'.repeat(2_000)),
      reason: 'the response body has more than 1000 bytes',
    },
    {
      name: 'nests too deep',
      body: '['.repeat(70) + ']'.repeat(70),
      reason: 'the response body nests deeper than 64 levels',
    },
  ])('passes a response whose body $name on whole, and leaves the intent to recovery', async ({ body, reason }) => {
    const gateway = await publishing(created(body), { 'max-body': '1kB' })
    const response = await gateway.fetch('/x/1', order())
    expect(response.status).toBe(201)
    expect(await response.text()).toBe(body)
    expect(gateway.events).toEqual([{ route: 'route', outcome: 'unknown', reason }])
    expect(gateway.lines.filter(({ level }) => level === 'warn')).toHaveLength(1)
  })

  test('reads no more of an endless response than allowed, and goes on streaming it', async () => {
    let sent = 0
    const endless = () =>
      new Response(
        new ReadableStream<Uint8Array>({
          pull(controller) {
            sent += 1_000
            controller.enqueue(new Uint8Array(1_000))
          },
        }),
        { status: 200 },
      )
    const gateway = await publishing(endless, { 'max-body': '10kB' })
    const response = await gateway.fetch('/x/1', order())
    expect(sent).toBeLessThan(20_000)
    const reader = response.body?.getReader()
    let received = 0
    while (received < 50_000) received += (await reader?.read())?.value?.byteLength ?? Number.NaN
    await reader?.cancel()
    expect(gateway.events[0]?.outcome).toBe('unknown')
  })

  test('notes a response that breaks off and lets the client see it break', async () => {
    const broken = () =>
      new Response(
        new ReadableStream<Uint8Array>({
          pull: (controller) => controller.error(new TypeError('connection reset')),
        }),
      )
    const gateway = await publishing(broken)
    const response = await gateway.fetch('/x/1', order())
    expect(gateway.events[0]).toMatchObject({ outcome: 'unknown', reason: 'the response body broke off' })
    expect(await response.text().catch(() => 'broke')).toBe('broke')
  })

  test('does not wait longer than the route may take for a body that never ends', async () => {
    const hanging = () => new Response(new ReadableStream<Uint8Array>({ pull: () => new Promise(() => {}) }))
    const gateway = await publishing(hanging)
    const answer = gateway.fetch('/x/1', order())
    await gateway.clock.advance(10_000)
    expect((await answer).status).toBe(504)
    expect(gateway.events[0]).toMatchObject({ outcome: 'unknown', reason: 'the response body broke off' })
  })
})

describe('publish, when the upstream does not accept', () => {
  test.each([{ status: 400 }, { status: 404 }, { status: 409 }, { status: 422 }, { status: 429 }])(
    'takes $status for a refusal: no event',
    async ({ status }) => {
      const gateway = await publishing(created('refused', { status }))
      const response = await gateway.fetch('/x/1', order())
      expect([response.status, await response.text()]).toEqual([status, 'refused'])
      expect(gateway.events).toEqual([{ route: 'route', outcome: 'rejected' }])
    },
  )

  test.each([{ status: 302 }, { status: 500 }, { status: 503 }])(
    'does not know what $status means',
    async ({ status }) => {
      const gateway = await publishing(created('?', { status }))
      expect((await gateway.fetch('/x/1', order())).status).toBe(status)
      expect(gateway.events).toEqual([{ route: 'route', outcome: 'unknown', reason: `status ${status}` }])
    },
  )

  test('does not know what became of a request whose connection broke', async () => {
    const gateway = await publishing(() => {
      throw new TypeError('connection reset')
    })
    expect((await gateway.fetch('/x/1', order())).status).toBe(502)
    expect(gateway.events).toEqual([{ route: 'route', outcome: 'unknown', reason: 'upstream-unreachable' }])
  })

  test('is sure that nobody accepted what could not be sent: no event', async () => {
    const gateway = await publishing(() => {
      throw new NobodyThere('connection refused')
    })
    expect((await gateway.fetch('/x/1', order())).status).toBe(502)
    expect(gateway.events).toEqual([{ route: 'route', outcome: 'rejected' }])
    expect(gateway.records[0]).toMatchObject({ calls: [{ attempts: 1, unsent: 1 }] })
  })

  test('is not sure when only the second attempt could not be sent', async () => {
    let calls = 0
    const upstream = () => {
      throw ++calls === 1 ? new TypeError('connection reset') : new NobodyThere('connection refused')
    }
    const twice = [{ retry: { attempts: 2, 'idempotency-key': true, backoff: '1ms' } }]
    const gateway = await publishing(upstream, {}, { upstreamPolicies: twice })
    const answer = gateway.fetch('/x/1', order())
    await gateway.clock.advance(1_000)
    expect((await answer).status).toBe(502)
    expect(gateway.events).toEqual([{ route: 'route', outcome: 'unknown', reason: 'upstream-unreachable' }])
  })

  test('does not know what became of a request that took too long, and answers in time all the same', async () => {
    const gateway = await publishing(() => new Promise(() => {}))
    const answer = gateway.fetch('/x/1', order())
    await gateway.clock.advance(10_000)
    expect((await answer).status).toBe(504)
    expect(gateway.events).toEqual([{ route: 'route', outcome: 'unknown', reason: 'upstream-timeout' }])
  })

  test.each([
    { name: 'the route', upstreamPolicies: [], detail: 'The total time for this route is up' },
    { name: 'a call', upstreamPolicies: [{ timeout: '1s' }], detail: 'No response within 1000 ms' },
  ])('tells a client with a key how to learn what became of it when the time of $name is up', async (late) => {
    const gateway = await publishing(() => new Promise(() => {}), {}, { upstreamPolicies: late.upstreamPolicies })
    const detailOf = async (headers: Record<string, string>) => {
      const answer = gateway.fetch('/x/1', order(headers))
      await gateway.clock.advance(10_000)
      const response = await answer
      expect(response.status).toBe(504)
      return ((await response.json()) as { detail: string }).detail
    }
    expect(await detailOf({ 'idempotency-key': 'k-1' })).toBe(
      `${late.detail}. The request may have taken effect: asking again with the same Idempotency-Key tells`,
    )
    expect(await detailOf({})).toBe(late.detail)
  })

  test('does not know what became of a request whose client left', async () => {
    const client = new AbortController()
    const gateway = await publishing(() => new Promise(() => {}))
    const answer = gateway.fetch('/x/1', order(), { ip: '192.0.2.1', gone: client.signal })
    await gateway.clock.advance(1)
    client.abort()
    await answer
    await gateway.clock.advance(1)
    expect(gateway.events).toEqual([{ route: 'route', outcome: 'unknown', reason: 'client-gone' }])
  })

  test('is sure of a failure before any attempt: no event', async () => {
    const full = definePolicy({
      name: 'full',
      at: 'upstream',
      options: z.strictObject({}),
      create: () => async () => {
        throw new GatewayError('circuit-open')
      },
    })
    const gateway = await publishing(created(), {}, { register: [full], upstreamPolicies: ['full'] })
    expect((await gateway.fetch('/x/1', order())).status).toBe(503)
    expect(gateway.events).toEqual([{ route: 'route', outcome: 'rejected' }])
  })

  test('is not sure of a refusal that follows a lost answer', async () => {
    let calls = 0
    const upstream = () => {
      if (++calls === 1) throw new TypeError('connection reset')
      return new Response('exists already', { status: 409 })
    }
    const twice = [{ retry: { attempts: 2, 'idempotency-key': true, backoff: '1ms' } }]
    const gateway = await publishing(upstream, {}, { upstreamPolicies: twice })
    const answer = gateway.fetch('/x/1', { method: 'POST', headers: { 'idempotency-key': 'k' } })
    await gateway.clock.advance(1_000)
    expect((await answer).status).toBe(409)
    expect(gateway.events).toEqual([{ route: 'route', outcome: 'unknown', reason: 'status 409' }])
  })
})

describe('publish, when the outbox fails', () => {
  const accepting: EventBus = {
    intend: async () => ({ id: 'event-1', commit: fail, withhold: fail, reject: fail, unknown: fail }),
    accept: fail,
    status: fail,
  }
  async function fail(): Promise<never> {
    throw new Error('disk full')
  }

  test.each([
    { name: 'is full', error: new GatewayError('overloaded', { headers: { 'retry-after': '7' } }), retryAfter: '7' },
    { name: 'is broken', error: new Error('disk I/O error'), retryAfter: '5' },
  ])('refuses the request without calling the upstream when the outbox $name', async ({ error, retryAfter }) => {
    const intend = async () => {
      throw error
    }
    const gateway = await publishing(created(), {}, { services: { events: { ...accepting, intend } } })
    const response = await gateway.fetch('/x/1', order())
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe(retryAfter)
    expect(gateway.upstreamRequests).toHaveLength(0)
  })

  test.each([
    { name: 'accepted', upstream: created(), status: 201 },
    { name: 'refused', upstream: created('no', { status: 422 }), status: 422 },
    { name: 'failed', upstream: created('no', { status: 500 }), status: 500 },
  ])('still answers what the upstream $name when the outcome cannot be written', async ({ upstream, status }) => {
    const gateway = await publishing(upstream, {}, { services: { events: accepting } })
    expect((await gateway.fetch('/x/1', order())).status).toBe(status)
    expect(gateway.lines).toContainEqual(
      expect.objectContaining({ level: 'error', message: 'Cannot note the outcome of an intent' }),
    )
  })

  test('notes what recovery needs to ask again, before the upstream is called', async () => {
    const drafts: unknown[] = []
    const done = async () => {}
    const upstream = () => {
      drafts.push('upstream')
      return created()()
    }
    const events: EventBus = {
      ...accepting,
      intend: async (draft) => {
        drafts.push(draft)
        return { id: 'event-1', commit: done, withhold: done, reject: done, unknown: done }
      },
    }
    const gateway = await publishing(upstream, {}, { services: { events } })
    await gateway.fetch('/x/a%20b?c=d', order({ 'idempotency-key': 'k-1' }))
    expect(drafts).toEqual([
      {
        settlement: expect.objectContaining({ mode: 'replay', upstream: 'upstream', withinMs: 600_000 }),
        route: 'route',
        method: 'POST',
        path: '/x/a%20b?c=d',
        idempotencyKey: 'k-1',
        traceparent: expect.stringContaining('00-'),
      },
      'upstream',
    ])
  })
})

describe('publish, at load', () => {
  test.each([
    { name: 'no type', options: { type: undefined }, message: 'type' },
    { name: 'an empty exchange', options: { exchange: '' }, message: 'exchange' },
    {
      name: 'a routing key longer than AMQP can carry',
      options: { 'routing-key': 'x'.repeat(256) },
      message: 'at most 255',
    },
    {
      name: 'an unknown name in a template',
      options: { data: '{responses.body}' },
      message: 'did you mean "response"',
    },
    { name: 'an unknown parameter', options: { subject: '{params.order}' }, message: 'unknown parameter "order"' },
  ])('refuses $name', async ({ options, message }) => {
    expect(String(await publishing(created(), options).catch((error: unknown) => error))).toContain(message)
  })
})
