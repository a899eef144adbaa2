import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { createTestGateway, type TestGatewayOptions } from '../../tests/support/gateway.ts'
import { definePolicy } from '../core/policy.ts'

const INSIDE = 'http://10.0.0.5:9101'

/** An upstream that answers 201 with these fields, at the addresses given. */
function saying(fields: Record<string, string>, settings: object = { url: INSIDE }): TestGatewayOptions {
  return {
    path: '/*',
    upstream: () => new Response('x', { status: 201, headers: fields }),
    upstreamSettings: { ...settings },
  }
}

async function told(location: string, settings?: object, init: RequestInit = {}) {
  const gateway = await createTestGateway(saying({ location }, settings))
  return (await gateway.fetch('/orders', init)).headers.get('location')
}

describe("AGG-18: a Location that names an upstream's address", () => {
  test.each([
    { given: `${INSIDE}/orders/7`, to: 'http://gateway.test/orders/7' },
    { given: `${INSIDE}/orders/7?a=1&b=%20#c`, to: 'http://gateway.test/orders/7?a=1&b=%20#c' },
    { given: INSIDE, to: 'http://gateway.test/' },
    { given: 'HTTP://10.0.0.5:9101/a/../b', to: 'http://gateway.test/b' },
    { given: 'http://user:secret@10.0.0.5:9101/a', to: 'http://gateway.test/a' },
    { given: 'http://0xa.5:9101/a', to: 'http://gateway.test/a' },
    { given: '//10.0.0.5:9101/a', to: 'http://gateway.test/a' },
    { given: '/\\10.0.0.5:9101/a', to: 'http://gateway.test/a' },
    { given: '\\\\10.0.0.5:9101\\a', to: 'http://gateway.test/a' },
  ])('has the host of the client: $given', async ({ given, to }) => {
    expect(await told(given)).toBe(to)
  })

  test('has the host and the scheme that upstreams are told of', async () => {
    const headers = { host: '10.0.0.9:8787', 'x-forwarded-host': 'shop.example', 'x-forwarded-proto': 'https' }
    const gateway = await createTestGateway({
      ...saying({ location: `${INSIDE}/orders/7` }),
      server: { trust: { hops: 1 } },
    })
    const believed = await gateway.fetch('/orders', { headers })
    expect(believed.headers.get('location')).toBe('https://shop.example/orders/7')
    expect(await told(`${INSIDE}/orders/7`, undefined, { headers })).toBe('http://10.0.0.9:8787/orders/7')
  })

  test('is known by every target of every version, and by the path before the call', async () => {
    const settings = {
      url: undefined,
      versions: {
        v1: { targets: ['http://10.0.0.5/api', 'http://10.0.0.5/api/next'] },
        v2: { targets: ['https://10.0.0.6:8443'] },
      },
      policies: [{ 'gray-release': { weights: { v1: 50, v2: 50 } } }],
    }
    const gateway = (location: string) => told(location, settings)
    expect(await gateway('http://10.0.0.5/api/orders/7')).toBe('http://gateway.test/orders/7')
    expect(await gateway('http://10.0.0.5:80/api/next/orders/7')).toBe('http://gateway.test/orders/7')
    expect(await gateway('http://10.0.0.5/apis')).toBe('http://gateway.test/apis')
    expect(await gateway('//10.0.0.6:8443/orders/7')).toBe('http://gateway.test/orders/7')
  })

  test.each([
    '/orders/7',
    'orders/7',
    '?page=2',
    '',
    'https://id.example/login?next=http://10.0.0.5:9101/',
    'http://10.0.0.5/orders/7',
    'https://10.0.0.5:9101/orders/7',
    'http://10.0.0.5:9102/orders/7',
    'http://10.0.0.5:9101.evil.test/',
    'http://10.0.0.5:99999/',
    'file:///etc/passwd',
    'com.example.app:/callback?code=1',
    'mailto:shop@example.com',
  ])('is nothing else: %s passes', async (location) => {
    expect(await told(location)).toBe(location)
  })

  test('is the same in Content-Location, and in no other field', async () => {
    const link = `<${INSIDE}/orders?page=2>; rel="next"`
    const fields = { 'content-location': `${INSIDE}/orders/7`, link, refresh: `0; url=${INSIDE}/` }
    const { headers } = await (await createTestGateway(saying(fields))).fetch('/orders')
    expect(headers.get('content-location')).toBe('http://gateway.test/orders/7')
    expect([headers.get('link'), headers.get('refresh')]).toEqual([link, `0; url=${INSIDE}/`])
  })

  test('is passed on as it is when the upstream says so', async () => {
    const kept = await told(`${INSIDE}/orders/7`, { url: INSIDE, 'rewrite-location': false })
    expect(kept).toBe(`${INSIDE}/orders/7`)
  })
})

describe('AGG-18: the path of a rewritten Location', () => {
  const config = JSON.stringify({
    version: 1,
    upstreams: { orders: { url: `${INSIDE}/api` } },
    routes: {
      own: { upstream: { name: 'orders', path: '/v1/{params.*}' }, path: '/shop/*' },
      // Knows more of the path than the route that is asked.
      alias: { upstream: { name: 'orders', path: '/v1/orders/{params.id}' }, path: '/alias/:id' },
      upload: { upstream: { name: 'orders', path: '/upload/{params.id}' }, path: '/files/:id', methods: ['PUT'] },
      download: { upstream: { name: 'orders', path: '/upload/{params.id}' }, path: '/f/:id', methods: ['GET'] },
    },
  })

  test('leads back through the route', async () => {
    const gateway = await createTestGateway({
      config,
      upstream: (request) => new Response('x', { headers: { location: request.url.replace('?', '/next?') } }),
    })
    const { headers } = await gateway.fetch('/shop/orders?a=1')
    expect(gateway.upstreamRequests[0]?.url).toBe(`${INSIDE}/api/v1/orders?a=1`)
    expect(headers.get('location')).toBe('http://gateway.test/shop/orders/next?a=1')
  })

  test.each([
    { status: 201, to: 'http://gateway.test/f/7' },
    { status: 303, to: 'http://gateway.test/f/7' },
    { status: 307, to: 'http://gateway.test/files/7' },
    { status: 308, to: 'http://gateway.test/files/7' },
  ])('leads to a route that answers what the client does next: $status', async ({ status, to }) => {
    const gateway = await createTestGateway({
      config,
      upstream: () => new Response('x', { status, headers: { location: `${INSIDE}/api/upload/7` } }),
    })
    expect((await gateway.fetch('/shop/new', { method: 'PUT', body: 'x' })).headers.get('location')).toBe(to)
  })
})

describe('AGG-18: who sees the address that was said', () => {
  const location = `${INSIDE}/orders/7`

  test('an event, not the client', async () => {
    const publish = { type: 'order.placed', source: '/shop', exchange: 'shop', 'routing-key': 'placed', data: '{response.headers.location}' } // biome-ignore format: one line
    const gateway = await createTestGateway({ ...saying({ location }), policies: [{ publish }] })
    const { headers } = await gateway.fetch('/orders', { method: 'POST', headers: { host: 'evil.test' } })
    expect(headers.get('location')).toBe('http://evil.test/orders/7')
    expect(gateway.events[0]?.event?.data).toBe(location)
  })

  test('no client of an answer that was kept: each has its own host', async () => {
    const gateway = await createTestGateway({ ...saying({ location }), policies: ['idempotency'] })
    const ask = (host: string) =>
      gateway.fetch('/orders', { method: 'POST', headers: { host, 'idempotency-key': '"a"' } })
    const answers = [await ask('a.test'), await ask('b.test')]
    expect(answers.map(({ headers }) => headers.get('location'))).toEqual([
      'http://a.test/orders/7',
      'http://b.test/orders/7',
    ])
    expect(gateway.upstreamRequests).toHaveLength(1)
  })

  test('a policy that answers by itself keeps its own words', async () => {
    const gateway = await createTestGateway({
      config: JSON.stringify({
        version: 1,
        upstreams: { orders: { url: INSIDE } },
        routes: {
          away: { path: '/away', policies: [{ redirect: { to: location } }] },
          all: { path: '/*', upstream: 'orders' },
        },
      }),
    })
    expect((await gateway.fetch('/away')).headers.get('location')).toBe(location)
  })
})

describe('AGG-18: answers of a policy that calls upstreams', () => {
  const routes = (policy: object) =>
    JSON.stringify({
      version: 1,
      upstreams: { orders: { url: INSIDE }, stock: { url: 'http://10.0.0.6' } },
      routes: {
        page: { path: '/page', policies: [policy] },
        order: { path: '/orders/:id', upstream: { name: 'orders', path: '/v1/{params.id}' } },
      },
    })

  const DECLARED = { 'response-headers': ['location'] }

  async function composed(location: string, declared: object) {
    const part = { upstream: 'orders', path: '/v1/7', ...declared }
    const gateway = await createTestGateway({
      config: routes({ aggregate: { parts: { order: part } } }),
      upstream: () => Response.json({}, { headers: { location, 'content-location': location } }),
    })
    const { status, headers } = await gateway.fetch('/page')
    return [status, headers.get('location'), headers.get('content-location')]
  }

  test('carry no Location of a part, unless it is declared: then it is rewritten too', async () => {
    expect(await composed(`${INSIDE}/v1/7`, {})).toEqual([200, null, null])
    expect(await composed(`${INSIDE}/v1/7`, DECLARED)).toEqual([200, 'http://gateway.test/orders/7', null])
    // Not one of the upstreams the route asks.
    expect(await composed('http://10.0.0.6/v1/7', DECLARED)).toEqual([200, 'http://10.0.0.6/v1/7', null])
  })

  test('are rewritten by what the policy says it calls', async () => {
    const caller = definePolicy({
      name: 'caller',
      at: 'route',
      ends: true,
      options: z.strictObject({}),
      calls: () => ['stock'],
      create: () => async () =>
        new Response(null, { status: 302, headers: { location: 'http://10.0.0.6/a', 'content-location': INSIDE } }),
    })
    const gateway = await createTestGateway({ config: routes({ caller: {} }), register: [caller] })
    const { headers } = await gateway.fetch('/page')
    expect([headers.get('location'), headers.get('content-location')]).toEqual(['http://gateway.test/a', INSIDE])
  })
})
