import { describe, expect, test } from 'bun:test'
import { type Store, StoreUnavailable } from '../../gateway/core/store.ts'
import { createMemoryStore } from '../../gateway/services/store/memory-store.ts'
import { createTestGateway, type ScriptedUpstream, type TestGatewayOptions } from '../../tests/support/gateway.ts'
import { until } from '../../tests/support/real-time.ts'
import { createVirtualClock } from '../../tests/support/virtual-clock.ts'

/** Each order gets the next number, so that a second execution shows. */
function orders(status = 201): ScriptedUpstream {
  let count = 0
  return () => Response.json({ order: ++count }, { status, headers: { location: `/orders/${count}` } })
}

function gatewayWith(options: unknown = {}, { services, ...rest }: TestGatewayOptions = {}) {
  return createTestGateway({
    policies: [{ idempotency: options }],
    upstream: orders(),
    ...rest,
    services: { createId: () => crypto.randomUUID(), ...services },
  })
}

const post = (key: string | undefined, body = '{"sku":"a"}', headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  body,
  headers: { 'content-type': 'application/json', ...headers, ...(key !== undefined && { 'idempotency-key': key }) },
})

/** An upstream that answers when told to. */
function held() {
  const waiting: ((response: Response) => void)[] = []
  return {
    upstream: () => new Promise<Response>((resolve) => waiting.push(resolve)),
    answer: (response: Response) => waiting.shift()?.(response),
  }
}

/** Digests are made on another thread: only the upstream knows when the request has come through. */
const isRunning = (gateway: Awaited<ReturnType<typeof gatewayWith>>) =>
  until('the upstream has the request', () => gateway.upstreamRequests.length > 0)

function storeWith(change: Partial<Store>): Store {
  return { ...createMemoryStore({ clock: createVirtualClock() }), ...change }
}

const unavailable = async (): Promise<never> => {
  throw new StoreUnavailable('The store did not answer within 100 ms')
}

describe('idempotency', () => {
  test('runs a request once and repeats its status, fields and bytes', async () => {
    const gateway = await gatewayWith()
    const first = await gateway.fetch('/x/1', post('"abc"'))
    const again = await gateway.fetch('/x/1', post('"abc"'))
    expect(gateway.upstreamRequests).toHaveLength(1)
    expect([first.status, again.status]).toEqual([201, 201])
    expect(first.headers.has('idempotent-replayed')).toBe(false)
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    expect(again.headers.get('location')).toBe('/orders/1')
    expect(again.headers.get('content-type')).toBe(first.headers.get('content-type'))
    expect(await again.text()).toBe(await first.text())
  })

  test('repeats bytes that are no text, and answers without a body', async () => {
    const bytes = Uint8Array.from({ length: 50_000 }, (_, i) => (i * 31) % 256)
    for (const make of [() => new Response(bytes), () => new Response(null, { status: 204 })]) {
      const gateway = await gatewayWith({}, { upstream: make })
      const first = await gateway.fetch('/x/1', post('k'))
      const again = await gateway.fetch('/x/1', post('k'))
      expect(again.headers.get('idempotent-replayed')).toBe('true')
      expect(again.status).toBe(first.status)
      expect(await again.arrayBuffer()).toEqual(await first.arrayBuffer())
    }
  })

  test('takes a quoted and a bare key for the same, and hands the field on as it came', async () => {
    const gateway = await gatewayWith()
    await gateway.fetch('/x/1', post('"abc"'))
    const again = await gateway.fetch('/x/1', post('abc'))
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    expect(gateway.upstreamRequests[0]?.headers.get('idempotency-key')).toBe('"abc"')
  })

  test('repeats errors of the upstream too', async () => {
    const gateway = await gatewayWith({}, { upstream: orders(422) })
    await gateway.fetch('/x/1', post('k'))
    expect(await (await gateway.fetch('/x/1', post('k'))).json()).toEqual({ order: 1 })
  })

  test.each([401, 403, 408, 409, 425, 429, 502, 503, 504])('runs again after %d, no last word', async (status) => {
    const gateway = await gatewayWith({}, { upstream: orders(status) })
    await gateway.fetch('/x/1', post('k'))
    const again = await gateway.fetch('/x/1', post('k'))
    expect(again.headers.has('idempotent-replayed')).toBe(false)
    expect(gateway.upstreamRequests).toHaveLength(2)
  })

  test('runs again after an upstream that could not be reached', async () => {
    let calls = 0
    const upstream = () => {
      if (++calls === 1) throw new TypeError('connection refused')
      return new Response('done', { status: 201 })
    }
    const gateway = await gatewayWith({}, { upstream })
    expect((await gateway.fetch('/x/1', post('k'))).status).toBe(502)
    expect((await gateway.fetch('/x/1', post('k'))).status).toBe(201)
  })

  test('answers 409 with Retry-After while the first is still running', async () => {
    const { upstream, answer } = held()
    const gateway = await gatewayWith({}, { upstream })
    const first = gateway.fetch('/x/1', post('k'))
    await isRunning(gateway)
    const second = await gateway.fetch('/x/1', post('k'))
    expect(second.status).toBe(409)
    expect(second.headers.get('retry-after')).toBe('1')
    expect(await second.json()).toMatchObject({
      type: 'urn:sluice:problem:idempotency-key-in-use',
      title: 'The Idempotency-Key is in use',
      detail: 'The first request with it is still running',
    })
    answer(new Response('done', { status: 201 }))
    expect((await first).status).toBe(201)
    expect(await (await gateway.fetch('/x/1', post('k'))).text()).toBe('done')
  })

  test('gives one order to fifty equal requests at once (EV-26)', async () => {
    const gateway = await gatewayWith()
    const all = await Promise.all(Array.from({ length: 50 }, () => gateway.fetch('/x/1', post('k'))))
    expect(gateway.upstreamRequests).toHaveLength(1)
    const ran = all.filter(({ status, headers }) => status === 201 && !headers.has('idempotent-replayed'))
    const repeated = all.filter(({ status, headers }) => status === 409 || headers.has('idempotent-replayed'))
    expect([ran.length, repeated.length]).toEqual([1, 49])
  })

  test.each([
    { name: 'another body', target: '/x/1', init: post('k', '{"sku":"b"}') },
    { name: 'another path', target: '/x/2', init: post('k') },
    { name: 'another query', target: '/x/1?gift=yes', init: post('k') },
    { name: 'another method', target: '/x/1', init: { ...post('k'), method: 'PUT' } },
  ])('answers 422 to the same key with $name', async ({ target, init }) => {
    const gateway = await gatewayWith()
    await gateway.fetch('/x/1', post('k'))
    const reused = await gateway.fetch(target, init)
    expect(reused.status).toBe(422)
    expect(await reused.json()).toMatchObject({ type: 'urn:sluice:problem:idempotency-key-reused' })
    expect(gateway.upstreamRequests).toHaveLength(1)
  })

  test('keeps the keys of different clients apart', async () => {
    const gateway = await gatewayWith()
    const one = await gateway.fetch('/x/1', post('k'), { ip: '192.0.2.1' })
    const other = await gateway.fetch('/x/1', post('k'), { ip: '192.0.2.2' })
    expect([await one.json(), await other.json()]).toEqual([{ order: 1 }, { order: 2 }])
  })

  test('knows the client by the first value of scope that is there', async () => {
    const gateway = await gatewayWith({ scope: ['headers.x-tenant', 'client.ip'] })
    const of = (tenant: string) => post('k', undefined, { 'x-tenant': tenant })
    await gateway.fetch('/x/1', of('a'), { ip: '192.0.2.1' })
    await gateway.fetch('/x/1', of('a'), { ip: '192.0.2.2' })
    await gateway.fetch('/x/1', of('b'), { ip: '192.0.2.1' })
    await gateway.fetch('/x/1', of('192.0.2.1'), { ip: '192.0.2.9' })
    await gateway.fetch('/x/1', post('k'), { ip: '192.0.2.1' })
    expect(gateway.upstreamRequests).toHaveLength(4)
  })

  test('forgets an answer after its time to live', async () => {
    const gateway = await gatewayWith({ ttl: '1h' })
    await gateway.fetch('/x/1', post('k'))
    await gateway.clock.advance(3_599_000)
    expect(await (await gateway.fetch('/x/1', post('k'))).json()).toEqual({ order: 1 })
    await gateway.clock.advance(1_000)
    expect(await (await gateway.fetch('/x/1', post('k'))).json()).toEqual({ order: 2 })
  })

  test('lets another gateway run the request once the lease of a dead one is over, and fences the dead one off', async () => {
    const storeClock = createVirtualClock()
    const store = createMemoryStore({ clock: storeClock })
    const { upstream, answer } = held()
    const dying = await gatewayWith({ lease: '30s' }, { upstream, services: { store } })
    const living = await gatewayWith({ lease: '30s' }, { services: { store } })
    const lost = dying.fetch('/x/1', post('k'))
    await isRunning(dying)
    await storeClock.advance(29_999)
    expect((await living.fetch('/x/1', post('k'))).status).toBe(409)
    await storeClock.advance(1)
    expect(await (await living.fetch('/x/1', post('k'))).json()).toEqual({ order: 1 })
    answer(new Response('too late', { status: 201 }))
    expect(await (await lost).text()).toBe('too late')
    expect(dying.records[0]).toMatchObject({ policies: { idempotency: { outcome: 'lease-lost' } } })
    expect(await (await living.fetch('/x/1', post('k'))).json()).toEqual({ order: 1 })
  })

  test('holds the lease at least as long as the route may take', async () => {
    const { upstream } = held()
    const gateway = await gatewayWith({ lease: '1s' }, { upstream, server: { limits: { timeout: '10s' } } })
    const first = gateway.fetch('/x/1', post('k'))
    await isRunning(gateway)
    await gateway.clock.advance(9_000)
    expect((await gateway.fetch('/x/1', post('k'))).status).toBe(409)
    await gateway.clock.advance(1_000)
    expect((await first).status).toBe(504)
  })

  describe('for a client that leaves', () => {
    const leaving = async (gateway: Awaited<ReturnType<typeof gatewayWith>>) => {
      const gone = new AbortController()
      const first = gateway.fetch('/x/1', post('k'), { ip: '192.0.2.1', gone: gone.signal })
      await isRunning(gateway)
      gone.abort()
      await first
    }

    test('finishes the work, and has its answer when the client asks again', async () => {
      const { upstream, answer } = held()
      const gateway = await gatewayWith({}, { upstream })
      await leaving(gateway)
      expect(gateway.upstreamRequests[0]?.signal.aborted).toBe(false)
      expect((await gateway.fetch('/x/1', post('k'))).status).toBe(409)
      answer(new Response('done', { status: 201 }))
      await gateway.clock.advance(0)
      const again = await gateway.fetch('/x/1', post('k'))
      expect(again.headers.get('idempotent-replayed')).toBe('true')
      expect(await again.text()).toBe('done')
      expect(gateway.upstreamRequests).toHaveLength(1)
    })

    test('works no longer than the route may take, and frees the key then', async () => {
      const { upstream } = held()
      const gateway = await gatewayWith({}, { upstream, server: { limits: { timeout: '10s' } } })
      await leaving(gateway)
      await gateway.clock.advance(10_000)
      expect(gateway.upstreamRequests[0]?.signal.aborted).toBe(true)
      void gateway.fetch('/x/1', post('k'))
      await until('the repeat runs', () => gateway.upstreamRequests.length === 2)
    })

    test('drops the rest of an answer that is too large to keep', async () => {
      const { upstream, answer } = held()
      const gateway = await gatewayWith({ 'max-body': '1KiB' }, { upstream })
      await leaving(gateway)
      answer(new Response('x'.repeat(100_000)))
      await until('the upstream call is given up', () => gateway.upstreamRequests[0]?.signal.aborted ?? false)
      expect((await gateway.fetch('/x/1', post('k'))).status).toBe(409)
    })
  })

  test('does not keep cookies, nor fields of the one connection or request', async () => {
    const upstream = () => {
      const headers = new Headers({
        connection: 'x-hop',
        'x-hop': '1',
        'x-end': '2',
        'x-request-id': 'up',
        date: 'now',
      })
      headers.append('set-cookie', 'session=1')
      headers.append('set-cookie', 'theme=dark')
      return new Response('ok', { headers })
    }
    const gateway = await gatewayWith({}, { upstream })
    const first = await gateway.fetch('/x/1', post('k'))
    const again = await gateway.fetch('/x/1', post('k'))
    expect(first.headers.getSetCookie()).toHaveLength(2)
    expect(again.headers.getSetCookie()).toHaveLength(0)
    expect(again.headers.get('x-end')).toBe('2')
    for (const name of ['x-hop', 'connection', 'date']) expect(again.headers.has(name)).toBe(false)
    expect(again.headers.get('x-request-id')).not.toBe(first.headers.get('x-request-id'))
    expect(again.headers.get('via')).toBe('1.1 sluice')
  })

  describe('an answer that cannot be kept', () => {
    const refusalOf = async (response: Response) => ({
      status: response.status,
      ...((await response.json()) as object),
    })

    test('reaches the first caller whole though it is too large, and repeats get 409 instead of a second run', async () => {
      const gateway = await gatewayWith({ 'max-body': '1KiB' }, { upstream: () => new Response('x'.repeat(100_000)) })
      expect(await (await gateway.fetch('/x/1', post('k'))).text()).toBe('x'.repeat(100_000))
      expect(await refusalOf(await gateway.fetch('/x/1', post('k')))).toMatchObject({
        status: 409,
        'completed-status': 200,
        detail: expect.stringContaining('too large'),
      })
      expect(gateway.upstreamRequests).toHaveLength(1)
    })

    test('is not waited for when it is a stream of events', async () => {
      const endless = () =>
        new Response(
          new ReadableStream({ start: (stream) => stream.enqueue(new TextEncoder().encode('data: 1\n\n')) }),
          {
            headers: { 'content-type': 'text/event-stream' },
          },
        )
      const gateway = await gatewayWith({}, { upstream: endless })
      const first = await gateway.fetch('/x/1', post('k'))
      const chunk = await first.body?.getReader().read()
      expect(new TextDecoder().decode(chunk?.value as Uint8Array)).toBe('data: 1\n\n')
      expect((await gateway.fetch('/x/1', post('k'))).status).toBe(409)
    })

    test('is remembered as done when it breaks off after the upstream has said yes', async () => {
      const broken = () =>
        new Response(new ReadableStream({ pull: (stream) => stream.error(new Error('reset')) }), { status: 201 })
      const gateway = await gatewayWith({}, { upstream: broken })
      expect((await gateway.fetch('/x/1', post('k'))).status).toBe(502)
      expect(await refusalOf(await gateway.fetch('/x/1', post('k')))).toMatchObject({
        status: 409,
        'completed-status': 201,
      })
      expect(gateway.upstreamRequests).toHaveLength(1)
    })
  })

  describe('the key', () => {
    test('is refused with 400 when it is malformed', async () => {
      const gateway = await gatewayWith()
      const response = await gateway.fetch('/x/1', post('"a", "b"'))
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({ type: 'urn:sluice:problem:invalid-request' })
      expect(gateway.upstreamRequests).toHaveLength(0)
    })

    test('may be missing, and then every request runs', async () => {
      const gateway = await gatewayWith()
      await gateway.fetch('/x/1', post(undefined))
      await gateway.fetch('/x/1', post(undefined))
      expect(gateway.upstreamRequests).toHaveLength(2)
    })

    test('is asked for with 400 where it is required, but not of safe methods', async () => {
      const gateway = await gatewayWith({ required: true })
      const response = await gateway.fetch('/x/1', post(undefined))
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({ type: 'urn:sluice:problem:idempotency-key-required' })
      expect((await gateway.fetch('/x/1')).status).toBe(201)
    })

    test('means nothing on safe methods', async () => {
      const gateway = await gatewayWith()
      for (let i = 0; i < 2; i++) await gateway.fetch('/x/1', { headers: { 'idempotency-key': 'k' } })
      expect(gateway.upstreamRequests).toHaveLength(2)
    })

    test('may come in another field', async () => {
      const gateway = await gatewayWith({ header: 'X-Request-Key' })
      for (let i = 0; i < 2; i++) await gateway.fetch('/x/1', post(undefined, undefined, { 'x-request-key': 'k' }))
      expect(gateway.upstreamRequests).toHaveLength(1)
    })
  })

  describe('when the store fails', () => {
    test('refuses with 503 rather than risk a second run', async () => {
      const gateway = await gatewayWith({}, { services: { store: storeWith({ putIfAbsent: unavailable }) } })
      const response = await gateway.fetch('/x/1', post('k'))
      expect(response.status).toBe(503)
      expect(await response.json()).toMatchObject({ type: 'urn:sluice:problem:overloaded' })
      expect(gateway.upstreamRequests).toHaveLength(0)
      expect((await gateway.fetch('/x/1', post(undefined))).status).toBe(201)
    })

    test('lets requests pass unprotected when told to, and says so', async () => {
      const store = storeWith({ putIfAbsent: unavailable })
      const gateway = await gatewayWith({ 'on-store-failure': 'allow' }, { services: { store } })
      expect((await gateway.fetch('/x/1', post('k'))).status).toBe(201)
      expect(gateway.records[0]).toMatchObject({
        policies: { idempotency: { outcome: 'store-unavailable', answer: 'allow' } },
      })
    })

    test('delivers the answer although it could not be kept', async () => {
      const gateway = await gatewayWith({}, { services: { store: storeWith({ replace: unavailable }) } })
      expect((await gateway.fetch('/x/1', post('k'))).status).toBe(201)
      expect(gateway.records[0]).toMatchObject({ policies: { idempotency: { outcome: 'store-failed' } } })
      expect((await gateway.fetch('/x/1', post('k'))).status).toBe(409)
    })

    test('remembers at least that the work was done when the store has no room for the answer', async () => {
      const store = createMemoryStore({ clock: createVirtualClock(), maximumBytes: 4_000 })
      const gateway = await gatewayWith({}, { upstream: () => new Response('x'.repeat(10_000)), services: { store } })
      expect((await gateway.fetch('/x/1', post('k'))).status).toBe(200)
      const again = await gateway.fetch('/x/1', post('k'))
      expect(await again.json()).toMatchObject({ status: 409, 'completed-status': 200 })
    })

    test('takes what another program wrote under its key for a failed store', async () => {
      const gateway = await gatewayWith({}, { services: { store: storeWith({ putIfAbsent: async () => 'nonsense' }) } })
      expect((await gateway.fetch('/x/1', post('k'))).status).toBe(503)
    })

    test('knows its own lease again when the command was sent twice', async () => {
      const store = storeWith({ putIfAbsent: async (_key, value) => value, replace: async () => true })
      const gateway = await gatewayWith({}, { services: { store } })
      expect((await gateway.fetch('/x/1', post('k'))).status).toBe(201)
    })
  })
})
