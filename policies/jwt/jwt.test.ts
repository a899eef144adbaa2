import { beforeAll, describe, expect, test } from 'bun:test'
import { createKeeper } from '../../gateway/services/keeper.ts'
import { createTestGateway, TEST_START } from '../../tests/support/gateway.ts'
import jwt from './index.ts'
import {
  AUDIENCE,
  createTestKey,
  goodClaims,
  ISSUER,
  JWKS_URL,
  publish,
  scriptIssuer,
  type TestKey,
} from './test-issuer.ts'

const MINUTE_MS = 60_000

let key: TestKey
let next: TestKey
let attacker: TestKey

beforeAll(async () => {
  key = await createTestKey('ES256', 'key')
  next = await createTestKey('ES256', 'next')
  attacker = await createTestKey('ES256', 'key')
})

const mounted = (options: Readonly<Record<string, unknown>> = {}) => ({
  jwt: { keys: [key.jwk], issuer: ISSUER, audience: AUDIENCE, algorithms: ['ES256'], ...options },
})

const gatewayWith = (options: Readonly<Record<string, unknown>> = {}) =>
  createTestGateway({ register: [jwt], policies: [mounted(options)] })

async function gatewayWithIssuer(options: Readonly<Record<string, unknown>> = {}) {
  const issuer = scriptIssuer([key.jwk])
  const policies = [mounted({ keys: undefined, jwks: JWKS_URL, ...options })]
  const gateway = await createTestGateway({ register: [jwt], policies, services: { fetch: issuer.fetch } })
  return { issuer, gateway }
}

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })
const claims = (others: Readonly<Record<string, unknown>> = {}) => goodClaims(TEST_START, others)
const decision = ({ records }: { readonly records: readonly Readonly<Record<string, unknown>>[] }) =>
  (records.at(-1)?.policies as { readonly jwt?: unknown } | undefined)?.jwt

describe('a request with a good token', () => {
  test('passes, and the token ends at the gateway', async () => {
    const gateway = await gatewayWith()
    const response = await gateway.fetch('/x/1', bearer(await key.sign(claims())))
    expect(response.status).toBe(200)
    expect(gateway.upstreamRequests[0]?.headers.get('authorization')).toBeNull()
    expect(decision(gateway)).toEqual({ outcome: 'accepted', remembered: false })
  })

  test('has its token forwarded where that is configured', async () => {
    const gateway = await gatewayWith({ forward: true })
    const token = await key.sign(claims())
    await gateway.fetch('/x/1', bearer(token))
    expect(gateway.upstreamRequests[0]?.headers.get('authorization')).toBe(`Bearer ${token}`)
  })

  test('is remembered, so that the second one costs no signature', async () => {
    const gateway = await gatewayWith()
    const token = await key.sign(claims())
    await gateway.fetch('/x/1', bearer(token))
    await gateway.fetch('/x/1', bearer(token))
    expect(decision(gateway)).toEqual({ outcome: 'accepted', remembered: true })
  })

  test('sends claims as headers, and what the client sent there never arrives', async () => {
    const gateway = await gatewayWith({
      'claims-to-headers': { sub: 'X-User-Id', 'realm.roles': 'x-roles', name: 'x-name' },
    })
    const token = await key.sign(claims({ realm: { roles: ['buyer', 'vip'] }, name: 'Łukasz' }))
    const { headers } = bearer(token)
    await gateway.fetch('/x/1', { headers: { ...headers, 'X-User-Id': 'root', 'x-name': 'root' } })
    const sent = gateway.upstreamRequests[0]?.headers
    expect([sent?.get('x-user-id'), sent?.get('x-roles'), sent?.get('x-name')]).toEqual(['alice', 'buyer,vip', null])
    expect(decision(gateway)).toEqual({ outcome: 'accepted', remembered: false, unsent: ['x-name'] })
  })

  const schemes = [
    { name: 'may write bearer in lower case', scheme: 'bearer' },
    { name: 'may write BEARER in upper case', scheme: 'BEARER' },
  ]
  test.each(schemes)('$name', async ({ scheme }) => {
    const gateway = await gatewayWith()
    const authorization = `${scheme} ${await key.sign(claims())}`
    expect((await gateway.fetch('/x/1', { headers: { authorization } })).status).toBe(200)
  })

  test('may bring it in a cookie where one is named, and only the other cookies go on', async () => {
    const gateway = await gatewayWith({ cookie: 'session' })
    const cookie = `theme=dark; session=${await key.sign(claims())}; lang=pl`
    expect((await gateway.fetch('/x/1', { headers: { cookie } })).status).toBe(200)
    expect(gateway.upstreamRequests[0]?.headers.get('cookie')).toBe('theme=dark; lang=pl')
  })

  test('may be named by another claim than sub', async () => {
    const gateway = await gatewayWith({ 'subject-claim': 'client_id', 'claims-to-headers': { client_id: 'x-client' } })
    const response = await gateway.fetch('/x/1', bearer(await key.sign(claims({ sub: undefined, client_id: 'batch' }))))
    expect(response.status).toBe(200)
  })
})

describe('a request without credentials', () => {
  const requests = [
    { name: 'is challenged without an error', authorization: undefined },
    { name: 'is challenged when it uses another scheme', authorization: 'Basic YTpi' },
    { name: 'is challenged when it sends the bare token', authorization: 'eyJhbGciOiJFUzI1NiJ9.e30.c2ln' },
    { name: 'is challenged when the scheme stands alone', authorization: 'Bearer' },
  ]
  test.each(requests)('$name', async ({ authorization }) => {
    const gateway = await gatewayWith()
    const response = await gateway.fetch('/x/1', authorization === undefined ? {} : { headers: { authorization } })
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Bearer realm="sluice"')
    expect(await response.json()).toMatchObject({ type: 'urn:sluice:problem:missing-credentials' })
    expect(gateway.upstreamRequests).toHaveLength(0)
  })

  test('passes where the token is optional, with no claim of the client’s own making', async () => {
    const gateway = await gatewayWith({ optional: true, 'claims-to-headers': { sub: 'x-user-id' } })
    const response = await gateway.fetch('/x/1', { headers: { 'x-user-id': 'root' } })
    expect(response.status).toBe(200)
    expect(gateway.upstreamRequests[0]?.headers.get('x-user-id')).toBeNull()
    expect(decision(gateway)).toEqual({ outcome: 'anonymous' })
  })
})

describe('a request with a bad token', () => {
  const forgeries = [
    { name: 'is refused when another key signed it', token: () => attacker.sign(claims()), reason: 'signature' },
    {
      name: 'is refused when it has expired',
      token: () => key.sign(claims({ exp: TEST_START / 1_000 })),
      reason: 'expired',
    },
    { name: 'is refused for another audience', token: () => key.sign(claims({ aud: 'other' })), reason: 'claims' },
    { name: 'is refused when it names no caller', token: () => key.sign(claims({ sub: undefined })), reason: 'claims' },
    { name: 'is refused when its caller is a number', token: () => key.sign(claims({ sub: 7 })), reason: 'claims' },
    { name: 'is refused when it is garbage', token: async () => 'garbage', reason: 'malformed' },
    { name: 'is refused when it is not signed', token: async () => 'eyJhbGciOiJub25lIn0.e30.', reason: 'malformed' },
    {
      name: 'is refused when two spaces precede it',
      token: async () => ` ${await key.sign(claims())}`,
      reason: 'malformed',
    },
    {
      name: 'is refused when two Authorization fields arrive as one',
      token: async () => `${await key.sign(claims())}, Bearer x`,
      reason: 'malformed',
    },
    { name: 'is refused when it is very long', token: async () => 'a'.repeat(9_000), reason: 'malformed' },
  ]
  test.each(forgeries)('$name', async ({ token, reason }) => {
    const gateway = await gatewayWith()
    const sent = await token()
    const response = await gateway.fetch('/x/1', bearer(sent))
    const body = await response.text()
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toMatch(
      /^Bearer realm="sluice", error="invalid_token", error_description="[^"]+"$/,
    )
    expect(JSON.parse(body)).toMatchObject({ type: 'urn:sluice:problem:invalid-credentials' })
    expect(body).not.toContain(sent.split('.')[1] ?? sent)
    expect(gateway.upstreamRequests).toHaveLength(0)
    expect(decision(gateway)).toEqual({ outcome: 'refused', reason })
  })

  test('is refused where a token is optional', async () => {
    const gateway = await gatewayWith({ optional: true })
    expect((await gateway.fetch('/x/1', bearer(await attacker.sign(claims())))).status).toBe(401)
  })

  test('leaves neither the token nor its claims in the log', async () => {
    const gateway = await gatewayWith()
    const good = await key.sign(claims({ sub: 'secret-subject' }))
    const forged = await attacker.sign(claims({ sub: 'secret-subject' }))
    await gateway.fetch('/x/1', bearer(good))
    await gateway.fetch('/x/1', bearer(forged))
    const log = JSON.stringify(gateway.lines)
    expect([good, forged].filter((token) => log.includes(token.slice(-40)))).toEqual([])
  })
})

describe('a request whose token grants too little', () => {
  const grants = [
    {
      name: 'is forbidden without a scope',
      options: { scopes: ['orders:write'] },
      claims: { scope: 'orders:read' },
      missing: ['orders:write'],
    },
    {
      name: 'is forbidden without a role',
      options: { 'required-claims': { roles: ['admin', 'ops'] } },
      claims: { roles: ['buyer'] },
      missing: ['roles'],
    },
    {
      name: 'is forbidden without a claim',
      options: { 'required-claims': ['tenant'] },
      claims: {},
      missing: ['tenant'],
    },
  ]
  test.each(grants)('$name', async ({ options, claims: others, missing }) => {
    const gateway = await gatewayWith(options)
    const response = await gateway.fetch('/x/1', bearer(await key.sign(claims(others))))
    expect(response.status).toBe(403)
    expect(response.headers.get('www-authenticate')).toContain('error="insufficient_scope"')
    expect(await response.text()).not.toContain('buyer')
    expect(decision(gateway)).toEqual({ outcome: 'forbidden', missing })
  })

  test('is told which scopes the route needs', async () => {
    const gateway = await gatewayWith({ scopes: ['a', 'b'] })
    const response = await gateway.fetch('/x/1', bearer(await key.sign(claims({ scope: 'a' }))))
    expect(response.headers.get('www-authenticate')).toBe(
      'Bearer realm="sluice", error="insufficient_scope", scope="a b"',
    )
  })

  test('passes when it grants everything', async () => {
    const gateway = await gatewayWith({ scopes: ['a', 'b'], 'required-claims': { roles: 'buyer' } })
    const token = await key.sign(claims({ scope: 'b a', roles: ['buyer'] }))
    expect((await gateway.fetch('/x/1', bearer(token))).status).toBe(200)
  })
})

describe('keys that an issuer publishes', () => {
  test('verify tokens, and garbage does not make the gateway ask for them', async () => {
    const { issuer, gateway } = await gatewayWithIssuer()
    await gateway.fetch('/x/1', bearer('garbage'))
    expect(issuer.requests).toHaveLength(0)
    expect((await gateway.fetch('/x/1', bearer(await key.sign(claims())))).status).toBe(200)
    expect(issuer.requests.map(({ url }) => url)).toEqual([JWKS_URL])
  })

  test('rotate: new tokens pass at once, old ones until the keys are due, and nothing fails in between', async () => {
    const { issuer, gateway } = await gatewayWithIssuer()
    const long = { exp: TEST_START / 1_000 + 3_600 }
    const old = bearer(await key.sign(claims(long)))
    const fresh = bearer(await next.sign(claims(long)))
    expect((await gateway.fetch('/x/1', old)).status).toBe(200)
    issuer.answer = () => publish([next.jwk])
    expect((await gateway.fetch('/x/1', fresh)).status).toBe(200)
    expect(issuer.requests).toHaveLength(2)
    await gateway.clock.advance(11 * MINUTE_MS)
    expect((await gateway.fetch('/x/1', old)).status).toBe(401)
    expect((await gateway.fetch('/x/1', fresh)).status).toBe(200)
  })

  test('outlive a reload of the configuration, also while the issuer is down', async () => {
    const keep = createKeeper()
    const issuer = scriptIssuer([key.jwk])
    const policies = [mounted({ keys: undefined, jwks: JWKS_URL })]
    const reload = () => createTestGateway({ register: [jwt], policies, services: { fetch: issuer.fetch, keep } })
    const token = bearer(await key.sign(claims()))
    expect((await (await reload()).fetch('/x/1', token)).status).toBe(200)
    issuer.answer = () => new Response(null, { status: 500 })
    expect((await (await reload()).fetch('/x/1', token)).status).toBe(200)
    expect(issuer.requests).toHaveLength(1)
  })

  test('go on verifying while the issuer is down, and give 503 when they are too stale', async () => {
    const { issuer, gateway } = await gatewayWithIssuer({ 'stale-for': '1h' })
    const good = bearer(await key.sign(claims({ exp: TEST_START / 1_000 + 86_400 })))
    await gateway.fetch('/x/1', good)
    issuer.answer = () => new Response('<h1>502 Bad Gateway</h1>', { status: 502 })
    await gateway.clock.advance(59 * MINUTE_MS)
    expect((await gateway.fetch('/x/1', good)).status).toBe(200)
    await gateway.clock.advance(2 * MINUTE_MS)
    const response = await gateway.fetch('/x/1', good)
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('1')
    expect(await response.text()).not.toContain('issuer.example')
  })

  const kids = [
    '../../dev/null',
    '/dev/null',
    "' OR 1=1 --",
    '|sleep 10',
    'a'.repeat(4_000),
    'https://evil.example/k',
    'unknown',
  ]
  const abuses = [
    ...kids.map((kid) => ({ name: `are asked for at most twice for the key id ${kid.slice(0, 24)}`, header: { kid } })),
    { name: 'are not asked for when the key id is a number', header: { kid: 7 } },
    { name: 'are not asked for when the key id is an object', header: { kid: {} } },
    {
      name: 'are not sought where the token says',
      header: { jku: 'https://evil.example/', x5u: 'https://evil.example/' },
    },
  ]
  test.each(abuses)('$name', async ({ header }) => {
    const { issuer, gateway } = await gatewayWithIssuer()
    const token = await attacker.sign(claims(), header)
    const statuses = new Set<number>()
    for (let i = 0; i < 20; i++) statuses.add((await gateway.fetch('/x/1', bearer(token))).status)
    expect([...statuses]).toEqual([401])
    expect(issuer.requests.length).toBeLessThanOrEqual(2)
    expect(issuer.requests.every(({ url }) => url === JWKS_URL)).toBe(true)
  })
})
