import { describe, expect, test } from 'bun:test'
import { createTestGateway, type ScriptedUpstream } from '../../tests/support/gateway.ts'

const SHOP = 'https://shop.example'

const cors = (options: Record<string, unknown> = {}, upstream?: ScriptedUpstream, methods?: string[]) =>
  createTestGateway({
    policies: [{ cors: { origins: [SHOP], ...options } }],
    ...(upstream ? { upstream } : {}),
    ...(methods ? { methods } : {}),
  })

const from = (origin: string, init: RequestInit = {}): RequestInit => ({
  ...init,
  headers: { origin, ...init.headers },
})

const preflight = (origin: string, headers: Record<string, string> = {}): RequestInit => ({
  method: 'OPTIONS',
  headers: { origin, 'access-control-request-method': 'PUT', ...headers },
})

const variesByOrigin = (response: Response) => /(?:^|,\s*)origin\b/i.test(response.headers.get('vary') ?? '')

describe('cors, on requests', () => {
  test('lets a listed origin read the answer', async () => {
    const gateway = await cors({ expose: ['X-Total'], credentials: true })
    const response = await gateway.fetch('/x/1', from(SHOP))
    expect(await response.text()).toBe('ok')
    expect(response.headers.get('access-control-allow-origin')).toBe(SHOP)
    expect(response.headers.get('access-control-allow-credentials')).toBe('true')
    expect(response.headers.get('access-control-expose-headers')).toBe('x-total')
    expect(variesByOrigin(response)).toBe(true)
  })

  test.each([
    { name: 'null', origin: 'null' },
    { name: 'a host that goes on', origin: 'https://shop.example.evil.test' },
    { name: 'a dot that became a letter', origin: 'https://shopXexample' },
    { name: 'another scheme', origin: 'http://shop.example' },
    { name: 'another port', origin: 'https://shop.example:8443' },
    { name: 'a subdomain', origin: 'https://a.shop.example' },
    { name: 'capitals', origin: 'HTTPS://SHOP.EXAMPLE' },
  ])('grants nothing to $name, and still answers', async ({ origin }) => {
    const response = await (await cors({ credentials: true })).fetch('/x/1', from(origin))
    expect(response.status).toBe(200)
    expect(response.headers.has('access-control-allow-origin')).toBe(false)
    expect(variesByOrigin(response)).toBe(true)
  })

  test('says that the answer depends on the origin even to a client that sends none', async () => {
    expect(variesByOrigin(await (await cors()).fetch('/x/1'))).toBe(true)
    expect(variesByOrigin(await (await cors({ origins: '*' })).fetch('/x/1'))).toBe(true)
  })

  test('keeps what the upstream says the answer depends on', async () => {
    const gateway = await cors({}, () => new Response('ok', { headers: { vary: 'Accept-Encoding' } }))
    const response = await gateway.fetch('/x/1', from(SHOP))
    expect(response.headers.get('vary')?.toLowerCase().replaceAll(' ', '')).toBe('accept-encoding,origin')
  })

  test('lets any origin read the answer when told so, without credentials', async () => {
    const response = await (await cors({ origins: '*' })).fetch('/x/1', from('https://any.test'))
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(response.headers.has('access-control-allow-credentials')).toBe(false)
  })

  test('lets a listed origin read a refusal of the gateway', async () => {
    const gateway = await cors({}, () => {
      throw new TypeError('connection refused')
    })
    const response = await gateway.fetch('/x/1', from(SHOP))
    expect(response.status).toBe(502)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(response.headers.get('access-control-allow-origin')).toBe(SHOP)
    expect(variesByOrigin(response)).toBe(true)
  })

  test('takes the place of what the upstream grants', async () => {
    const headers = { 'access-control-allow-origin': '*', 'access-control-allow-credentials': 'true' }
    const gateway = await cors({}, () => new Response('ok', { headers }))
    const foreign = await gateway.fetch('/x/1', from('https://evil.test'))
    expect(foreign.headers.has('access-control-allow-origin')).toBe(false)
    expect(foreign.headers.has('access-control-allow-credentials')).toBe(false)
    const listed = await gateway.fetch('/x/1', from(SHOP))
    expect(listed.headers.get('access-control-allow-origin')).toBe(SHOP)
  })

  test('passes bodies on both ways', async () => {
    const gateway = await cors({}, async (request) => new Response(`got ${await request.text()}`))
    const response = await gateway.fetch('/x/1', from(SHOP, { method: 'POST', body: 'tea' }))
    expect(await response.text()).toBe('got tea')
  })

  test('answers HEAD without a body', async () => {
    const gateway = await cors({}, () => new Response(null, { headers: { etag: '"1"' } }))
    const response = await gateway.fetch('/x/1', from(SHOP, { method: 'HEAD' }))
    expect(response.headers.get('etag')).toBe('"1"')
    expect(response.headers.get('access-control-allow-origin')).toBe(SHOP)
  })
})

describe('cors, on preflights', () => {
  test('answers by itself, on a route that does not list OPTIONS', async () => {
    const gateway = await cors({ methods: ['GET', 'PUT'], headers: ['X-Item'], 'max-age': '10m' }, undefined, [
      'GET',
      'PUT',
    ])
    const response = await gateway.fetch('/x/1', preflight(SHOP, { 'access-control-request-headers': 'x-item' }))
    expect(response.status).toBe(204)
    expect(response.headers.get('access-control-allow-origin')).toBe(SHOP)
    expect(response.headers.get('access-control-allow-methods')).toBe('GET,PUT')
    expect(response.headers.get('access-control-allow-headers')).toBe('x-item')
    expect(response.headers.get('access-control-max-age')).toBe('600')
    expect(variesByOrigin(response)).toBe(true)
    expect(gateway.upstreamRequests).toHaveLength(0)
  })

  test('allows the fields that are asked for when none are listed', async () => {
    const response = await (await cors()).fetch(
      '/x/1',
      preflight(SHOP, { 'access-control-request-headers': 'x-a, x-b' }),
    )
    expect(response.headers.get('access-control-allow-headers')).toBe('x-a,x-b')
    expect(response.headers.get('vary')?.toLowerCase()).toContain('access-control-request-headers')
  })

  test('grants nothing to a foreign origin and does not ask the upstream', async () => {
    const gateway = await cors({ credentials: true })
    const response = await gateway.fetch('/x/1', preflight('https://evil.test'))
    expect(response.status).toBe(204)
    expect(response.headers.has('access-control-allow-origin')).toBe(false)
    expect(variesByOrigin(response)).toBe(true)
    expect(gateway.upstreamRequests).toHaveLength(0)
  })

  test('is no way in for OPTIONS without an Origin, on a route that does not list it', async () => {
    const gateway = await cors({}, () => new Response('reached'), ['POST'])
    const init = { method: 'OPTIONS', headers: { 'access-control-request-method': 'POST' } }
    expect((await gateway.fetch('/x/1', init)).status).toBe(405)
    expect(gateway.upstreamRequests).toEqual([])
  })

  test('passes an OPTIONS request that is no preflight on to the upstream', async () => {
    const gateway = await cors({}, () => new Response('options of the upstream'))
    const response = await gateway.fetch('/x/1', from(SHOP, { method: 'OPTIONS' }))
    expect(await response.text()).toBe('options of the upstream')
    expect(response.headers.get('access-control-allow-origin')).toBe(SHOP)
    expect(gateway.upstreamRequests[0]?.method).toBe('OPTIONS')
  })
})

describe('cors, on WebSocket handshakes', () => {
  const handshake = (origin?: string): RequestInit => ({
    headers: { upgrade: 'websocket', ...(origin === undefined ? {} : { origin }) },
  })

  test('refuses another origin, which a browser would let in with its cookies', async () => {
    const gateway = await cors()
    const response = await gateway.fetch('/x/1', handshake('https://evil.example'))
    expect(response.status).toBe(403)
    expect(await response.json()).toMatchObject({ detail: 'This origin may not open a WebSocket here' })
  })

  test.each([
    { name: 'a listed origin', origin: SHOP, options: {} },
    { name: 'a program, which sends no origin', origin: undefined, options: {} },
    { name: 'anybody where any origin is allowed', origin: 'https://evil.example', options: { origins: '*' } },
  ])('leaves $name to the route', async ({ origin, options }) => {
    const gateway = await cors(options)
    const response = await gateway.fetch('/x/1', handshake(origin))
    expect(await response.json()).toMatchObject({ detail: 'This route passes no WebSockets on' })
  })
})

describe('cors, at load', () => {
  test.each([
    { name: 'credentials for any origin', options: { origins: '*', credentials: true }, message: 'list the origins' },
    { name: 'an origin with a path', options: { origins: [`${SHOP}/`] }, message: `such as "${SHOP}"` },
    { name: 'an origin in capitals', options: { origins: ['https://Shop.example'] }, message: `such as "${SHOP}"` },
    { name: 'an origin with its default port', options: { origins: [`${SHOP}:443`] }, message: `such as "${SHOP}"` },
    { name: 'a pattern', options: { origins: ['https://*.shop.example'] }, message: 'expected an origin' },
    { name: 'null', options: { origins: ['null'] }, message: 'expected an origin' },
    { name: 'no origins', options: { origins: [] }, message: 'expected' },
    { name: 'any origin among others', options: { origins: ['*', SHOP] }, message: 'expected an origin' },
  ])('refuses $name', async ({ options, message }) => {
    expect(String(await cors(options).catch((error: unknown) => error))).toContain(message)
  })

  test('takes the origin of an app', async () => {
    const gateway = await cors({ origins: ['capacitor://localhost'] })
    const response = await gateway.fetch('/x/1', from('capacitor://localhost'))
    expect(response.headers.get('access-control-allow-origin')).toBe('capacitor://localhost')
  })
})
