import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { gzipSync } from 'node:zlib'
import { type Shop, startShop } from '../../upstream-mocks/index.ts'
import { type RawUpstream, rawRequest, rawUpstream } from '../support/raw-http.ts'
import { until } from '../support/real-time.ts'
import { startWranglerDev, WRANGLER_STARTS_WITHIN_MS, type WranglerDev } from '../support/wrangler-dev.ts'

const SETUP_MS = WRANGLER_STARTS_WITHIN_MS + 10_000

describe('the demo shop behind wrangler dev', () => {
  let shop: Shop
  let worker: WranglerDev
  let token: string

  beforeAll(async () => {
    // On its usual ports, which are the ones in config/gateway.yaml.
    shop = await startShop()
    worker = await startWranglerDev()
  }, SETUP_MS)
  afterAll(async () => {
    await worker?.stop()
    await shop?.stop()
  })

  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    fetch(worker.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })

  test('serves the product page, composed of four services', async () => {
    const response = await fetch(`${worker.url}/products/MUG-001`)
    expect(response.status).toBe(200)
    expect(response.headers.get('composition-complete')).toBe('?1')
    expect(response.headers.get('ratelimit')).toStartWith('"default";r=')
    expect(await response.json()).toMatchObject({
      product: { sku: 'MUG-001' },
      stock: { sku: 'MUG-001' },
      price: { sku: 'MUG-001', currency: 'EUR' },
      promotions: [{}, {}],
    })
  })

  test('chooses the version that a rule names', async () => {
    const response = await fetch(`${worker.url}/products/MUG-001`, { headers: { 'x-release': 'canary' } })
    expect(await response.json()).toMatchObject({ price: { engine: 'canary' } })
  })

  test('answers every one of many requests that need the keys at once', async () => {
    const signedIn = await post('/auth/token', { username: 'alice', password: 'alice' })
    expect(signedIn.status).toBe(200)
    token = ((await signedIn.json()) as { access_token: string }).access_token
    const responses = await Promise.all(
      Array.from({ length: 20 }, () =>
        fetch(`${worker.url}/orders`, { headers: { authorization: `Bearer ${token}` } }),
      ),
    )
    expect(responses.map(({ status }) => status)).toEqual(Array(20).fill(200))
  })

  test('refuses to take an order, because its event could be lost', async () => {
    const authorization = `Bearer ${token}`
    const order = { items: [{ sku: 'MUG-001', quantity: 1 }] }
    const response = await post('/orders', order, { authorization, 'idempotency-key': 'order-on-workers-1' })
    expect(response.status).toBe(501)
    expect(await response.json()).toMatchObject({
      type: 'urn:sluice:problem:not-implemented',
      detail: 'This route needs an outbox for events, and the gateway on Workers has none yet',
    })
    const orders = await fetch(`http://127.0.0.1:${shop.ports.orders}/orders`, { headers: { 'x-user-id': 'alice' } })
    expect(JSON.stringify(await orders.json())).not.toContain('MUG-001')
  })
})

describe('the transport of the Worker', () => {
  const page = gzipSync(JSON.stringify({ text: 'compressed once '.repeat(50) }))
  const closed = Promise.withResolvers<void>()
  let upstream: RawUpstream
  let worker: WranglerDev

  beforeAll(async () => {
    upstream = await rawUpstream(({ requestLine, connectionClosed }) => {
      const [, path = ''] = requestLine.split(' ')
      if (path === '/gzip')
        return [`HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${page.length}\r\n\r\n`, page]
      if (path === '/moved') return ['HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n']
      if (path === '/cookies')
        return ['HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n']
      if (path === '/garbage') return ['these are not the headers you are looking for\r\n\r\n', 'close']
      if (path === '/head') return ['HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n']
      if (path === '/left') {
        void connectionClosed.then(closed.resolve)
        return ['hang']
      }
      return path === '/hang' ? ['hang'] : ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok']
    })
    worker = await startWranglerDev({
      config: {
        version: 1,
        upstreams: { main: { url: upstream.url }, gone: { url: 'http://127.0.0.1:1' } },
        routes: {
          gone: { path: '/gone', upstream: 'gone' },
          hang: { path: '/hang', upstream: 'main', timeout: '300ms' },
          left: { path: '/left', upstream: 'main', timeout: '1s' },
          all: { path: '/*', upstream: 'main' },
        },
      },
    })
  }, SETUP_MS)
  afterAll(async () => {
    await worker?.stop()
    await upstream?.close()
  })

  const send = async (request: string, options = {}) => {
    const [reply] = await rawRequest(worker.port, request, options)
    if (!reply) throw new Error(`No reply to ${request}`)
    return reply
  }
  const get = (path: string, ...lines: readonly string[]) =>
    send([`GET ${path} HTTP/1.1`, 'Host: shop.test', ...lines, '', ''].join('\r\n'))
  const lastSeen = () => {
    const seen = upstream.requests.at(-1)
    if (!seen) throw new Error('The upstream has seen no request')
    return seen
  }

  test('passes a compressed body on byte for byte', async () => {
    const reply = await get('/gzip', 'Accept-Encoding: gzip')
    expect(reply.header('content-encoding')).toBe('gzip')
    expect(Buffer.compare(reply.body, page)).toBe(0)
  })

  test('follows no redirect', async () => {
    const reply = await get('/moved')
    expect(reply.status).toBe(302)
    expect(reply.header('location')).toBe('/elsewhere')
  })

  test('keeps repeated Set-Cookie fields apart', async () => {
    const { headers } = await get('/cookies')
    expect(headers.filter(([name]) => name.toLowerCase() === 'set-cookie').map(([, value]) => value)).toEqual([
      'a=1',
      'b=2',
    ])
  })

  test('tells the length of a body to HEAD', async () => {
    const reply = await send('HEAD /head HTTP/1.1\r\nHost: shop.test\r\n\r\n', { head: true })
    expect(reply.status).toBe(200)
    expect(reply.header('content-length')).toBe('1234')
  })

  test('sends a body of known length with its length, and any other in chunks', async () => {
    await send('POST /known HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 5\r\n\r\nhello')
    expect(lastSeen().values('content-length')).toEqual(['5'])
    expect(Buffer.from(lastSeen().body).toString()).toBe('hello')
    await send('POST /unknown HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n')
    expect(lastSeen().values('transfer-encoding')).toEqual(['chunked'])
    expect(Buffer.from(lastSeen().body).toString()).toBe('hello')
  })

  test('names the client by its connection, whatever the client says', async () => {
    await get('/who', 'X-Forwarded-For: 203.0.113.9')
    expect(lastSeen().values('x-forwarded-for')).toEqual(['127.0.0.1'])
  })

  test.each([
    { path: '/gone', status: 502, code: 'upstream-unreachable' },
    { path: '/garbage', status: 502, code: 'upstream-unreachable' },
    { path: '/hang', status: 504, code: 'upstream-timeout' },
  ])('answers $status $code at $path', async ({ path, status, code }) => {
    const reply = await get(path)
    expect(reply.status).toBe(status)
    expect(JSON.parse(reply.text())).toMatchObject({ type: `urn:sluice:problem:${code}` })
  })

  test('ends a request whose client has left, at its deadline at the latest', async () => {
    const client = new AbortController()
    const reply = rawRequest(worker.port, 'GET /left HTTP/1.1\r\nHost: shop.test\r\n\r\n', { signal: client.signal })
    await until('the upstream has the request', () =>
      upstream.requests.some(({ requestLine }) => requestLine.includes('/left')),
    )
    client.abort()
    await reply
    // workerd on this machine tells nobody that a client has left; Cloudflare does.
    await closed.promise
    await until('the log tells of it', () => worker.records().some(({ path }) => path === '/left'))
  })
})

test(
  'wrangler dev does not start with a mistaken configuration, and says where the mistakes are',
  async () => {
    const config = { version: 1, routes: { a: { path: '/a', policies: [{ responds: {} }] } } }
    await expect(startWranglerDev({ config })).rejects.toThrow(
      /gateway\.yaml:\d+:\d+ .*unknown policy "responds"; did you mean "respond"\?/,
    )
  },
  SETUP_MS,
)

test(
  'wrangler dev does not start with a store that Workers cannot reach',
  async () => {
    const config = {
      version: 1,
      services: { store: 'redis://:secret@127.0.0.1' },
      routes: { a: { path: '/a', policies: [{ respond: {} }] } },
    }
    const refusal = startWranglerDev({ config })
    await expect(refusal).rejects.toThrow('services.store is "redis:"')
    await expect(refusal).rejects.not.toThrow('secret')
  },
  SETUP_MS,
)
