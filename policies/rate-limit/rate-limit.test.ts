import { describe, expect, test } from 'bun:test'
import { parseList } from 'structured-headers'
import { z } from 'zod'
import { principal } from '../../gateway/core/keys.ts'
import type { Limiters } from '../../gateway/core/limiter.ts'
import { definePolicy } from '../../gateway/core/policy.ts'
import { StoreUnavailable } from '../../gateway/core/store.ts'
import { createMemoryLimiters } from '../../gateway/services/limiters/memory-limiters.ts'
import { createTestGateway, type TestGatewayOptions } from '../../tests/support/gateway.ts'
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
      if (id !== null) exchange.set(principal, { id, claims: { sub: id, tenant: 'shop' }, via: 'sign-in' })
      return next()
    },
})

const gatewayWith = (policies: readonly unknown[], options: TestGatewayOptions = {}) =>
  createTestGateway({ register: [signIn], policies, ...options })

type Gateway = Awaited<ReturnType<typeof gatewayWith>>

async function statuses(gateway: Gateway, count: number, init?: RequestInit, ip?: string): Promise<number[]> {
  const all: number[] = []
  for (let i = 0; i < count; i++) all.push((await gateway.fetch('/x/1', init, { ip: ip ?? '192.0.2.1' })).status)
  return all
}

/** Limiters whose shared store is gone. */
function failingLimiters(): Limiters {
  const create = () => ({
    take: async () => {
      throw new StoreUnavailable('The store did not answer within 100 ms')
    },
  })
  const clock = createVirtualClock()
  return { create, createLocal: createMemoryLimiters({ clock }).createLocal }
}

/** A list of RFC 9651 as `[name, parameters]`. */
const parsed = (field: string | null) =>
  parseList(field ?? '').map(([name, parameters]) => [name, Object.fromEntries(parameters as Map<string, unknown>)])

describe('rate-limit', () => {
  test('lets the limit through and refuses the next with 429, Retry-After and the fields', async () => {
    const gateway = await gatewayWith([{ 'rate-limit': { limit: 10, window: '10s', algorithm: 'fixed-window' } }])
    await gateway.clock.advance(3_000)
    expect(await statuses(gateway, 10)).toEqual(Array(10).fill(200))
    const refused = await gateway.fetch('/x/1')
    expect(refused.status).toBe(429)
    expect(refused.headers.get('ratelimit-policy')).toBe('"default";q=10;w=10')
    expect(refused.headers.get('ratelimit')).toBe('"default";r=0;t=7')
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(7)
    expect(refused.headers.get('content-type')).toBe('application/problem+json')
    expect(await refused.json()).toMatchObject({
      type: 'urn:sluice:problem:rate-limited',
      status: 429,
      'violated-policies': ['default'],
    })
    expect(gateway.upstreamRequests).toHaveLength(10)
  })

  test('tells every caller what is left', async () => {
    const gateway = await gatewayWith([{ 'rate-limit': { limit: 3, window: '1m', name: 'per-minute' } }])
    const response = await gateway.fetch('/x/1')
    expect(parsed(response.headers.get('ratelimit-policy'))).toEqual([['per-minute', { q: 3, w: 60 }]])
    expect(parsed(response.headers.get('ratelimit'))).toEqual([['per-minute', { r: 2, t: 60 }]])
    expect(response.headers.has('retry-after')).toBe(false)
  })

  test('tells it on errors of inner layers and of the upstream too', async () => {
    const gateway = await gatewayWith([{ 'rate-limit': { limit: 3, window: '1m' } }], {
      upstream: () => {
        throw new TypeError('connection refused')
      },
    })
    const response = await gateway.fetch('/x/1')
    expect(response.status).toBe(502)
    expect(response.headers.get('ratelimit')).toBe('"default";r=2;t=60')
  })

  test.each([
    { name: 'fixed-window', options: { algorithm: 'fixed-window' } },
    { name: 'sliding-window', options: { algorithm: 'sliding-window' } },
    { name: 'token-bucket', options: { algorithm: 'token-bucket', refill: 1 } },
  ])('lets a caller through who waits as long as Retry-After says, with $name', async ({ options }) => {
    const gateway = await gatewayWith([{ 'rate-limit': { limit: 2, window: '10s', ...options } }])
    await gateway.clock.advance(2_345)
    expect(await statuses(gateway, 3)).toEqual([200, 200, 429])
    const refused = await gateway.fetch('/x/1')
    const [[, budget] = []] = parsed(refused.headers.get('ratelimit')) as [string, { t: number }][]
    const seconds = Number(refused.headers.get('retry-after'))
    expect(seconds).toBeGreaterThanOrEqual(budget?.t ?? Number.NaN)
    await gateway.clock.advance(seconds * 1_000)
    expect(await statuses(gateway, 1)).toEqual([200])
  })

  test('leaves out the window when it is no whole number of seconds', async () => {
    const gateway = await gatewayWith([{ 'rate-limit': { limit: 3, window: '500ms' } }])
    const { headers } = await gateway.fetch('/x/1')
    expect(headers.get('ratelimit-policy')).toBe('"default";q=3')
    expect(headers.get('ratelimit')).toBe('"default";r=2;t=1')
  })

  test('gives a token bucket its size at once and its refill per window', async () => {
    const bucket = { limit: 6, window: '1s', refill: 2, algorithm: 'token-bucket' }
    const gateway = await gatewayWith([{ 'rate-limit': bucket }])
    const first = await gateway.fetch('/x/1')
    expect(first.headers.get('ratelimit-policy')).toBe('"default";q=6;w=3')
    await statuses(gateway, 5)
    await gateway.clock.advance(1_000)
    expect(await statuses(gateway, 3)).toEqual([200, 200, 429])
  })

  describe('with several limits', () => {
    const limits = [
      { name: 'burst', limit: 2, window: '1s', algorithm: 'fixed-window' },
      { name: 'daily', limit: 3, window: '1d', algorithm: 'fixed-window' },
    ]

    test('refuses when any of them does, names those, and lists all', async () => {
      const gateway = await gatewayWith([{ 'rate-limit': { limits } }])
      expect(await statuses(gateway, 2)).toEqual([200, 200])
      const burst = await gateway.fetch('/x/1')
      expect(await burst.json()).toMatchObject({ 'violated-policies': ['burst'] })
      expect(parsed(burst.headers.get('ratelimit-policy'))).toEqual([
        ['burst', { q: 2, w: 1 }],
        ['daily', { q: 3, w: 86_400 }],
      ])
      expect(burst.headers.get('retry-after')).toBe('2')
      await gateway.clock.advance(1_000)
      const daily = await gateway.fetch('/x/1')
      expect(await daily.json()).toMatchObject({ 'violated-policies': ['daily'] })
      expect(Number(daily.headers.get('retry-after'))).toBeGreaterThan(86_000)
    })

    test('counts policies mounted one inside the other separately, and lists both, outermost first', async () => {
      const gateway = await gatewayWith([
        { 'rate-limit': { limit: 5, window: '1m', name: 'outer' } },
        { 'rate-limit': { limit: 1, window: '1m', name: 'inner' } },
      ])
      const first = await gateway.fetch('/x/1')
      expect(first.headers.get('ratelimit')).toBe('"outer";r=4;t=60, "inner";r=0;t=60')
      const second = await gateway.fetch('/x/1')
      expect(second.status).toBe(429)
      expect(second.headers.get('ratelimit')).toBe('"outer";r=3;t=60, "inner";r=0;t=60')
    })
  })

  test('replaces RateLimit fields of the upstream, which speak of another budget', async () => {
    const gateway = await gatewayWith([{ 'rate-limit': { limit: 5, window: '1m' } }], {
      upstream: () => new Response('ok', { headers: { ratelimit: 'limit=1, remaining=0', 'x-kept': 'yes' } }),
    })
    const { headers } = await gateway.fetch('/x/1')
    expect(headers.get('ratelimit')).toBe('"default";r=4;t=60')
    expect(headers.get('x-kept')).toBe('yes')
  })

  describe('by', () => {
    test('the address of the connection, whatever forwarding fields an untrusted client sends', async () => {
      const gateway = await gatewayWith([{ 'rate-limit': { limit: 2, window: '1m' } }])
      const all: number[] = []
      for (let i = 0; i < 4; i++) {
        const headers = { 'x-forwarded-for': `203.0.113.${i}`, forwarded: `for=203.0.113.${i}` }
        all.push(...(await statuses(gateway, 1, { headers })))
      }
      expect(all).toEqual([200, 200, 429, 429])
      expect(await statuses(gateway, 1, {}, '192.0.2.2')).toEqual([200])
    })

    test('the /64 network of an IPv6 client', async () => {
      const gateway = await gatewayWith([{ 'rate-limit': { limit: 1, window: '1m' } }])
      expect(await statuses(gateway, 1, {}, '2001:db8:0:1::1')).toEqual([200])
      expect(await statuses(gateway, 1, {}, '2001:db8:0:1:ffff::2')).toEqual([429])
      expect(await statuses(gateway, 1, {}, '2001:db8:0:2::1')).toEqual([200])
    })

    test('a claim', async () => {
      const gateway = await gatewayWith(['sign-in', { 'rate-limit': { limit: 1, window: '1m', by: 'claims.sub' } }])
      const as = (user: string) => ({ headers: { 'x-user': user } })
      expect(await statuses(gateway, 2, as('alice'))).toEqual([200, 429])
      expect(await statuses(gateway, 1, as('bob'))).toEqual([200])
    })

    test('the address where the value is missing, which no value can pass itself off as', async () => {
      const gateway = await gatewayWith(['sign-in', { 'rate-limit': { limit: 1, window: '1m', by: 'claims.sub' } }])
      expect(await statuses(gateway, 1)).toEqual([200])
      expect(await statuses(gateway, 1, { headers: { 'x-user': '192.0.2.1' } })).toEqual([200])
      expect(await statuses(gateway, 1, {}, '192.0.2.9')).toEqual([200])
      expect(await statuses(gateway, 1)).toEqual([429])
    })

    test('several values together, none of which can reach into another', async () => {
      const by = ['headers.x-a', 'headers.x-b']
      const gateway = await gatewayWith([{ 'rate-limit': { limit: 1, window: '1m', by } }])
      const pairs = [
        ['a', 'b'],
        ['a"],["value","b', ''],
        ['a,b', 'c'],
        ['a', 'b,c'],
        ['', 'a'],
      ]
      for (const [a = '', b = ''] of pairs) {
        expect(await statuses(gateway, 1, { headers: { 'x-a': a, 'x-b': b } })).toEqual([200])
      }
      expect(await statuses(gateway, 1, { headers: { 'x-a': 'a', 'x-b': 'b' } })).toEqual([429])
    })
  })

  describe('when the store fails', () => {
    const broken = (answer?: string) =>
      gatewayWith(
        [{ 'rate-limit': { limit: 2, window: '1m', ...(answer !== undefined && { 'on-store-failure': answer }) } }],
        { services: { limiters: failingLimiters() } },
      )

    test('counts in this process alone, unless told otherwise', async () => {
      const gateway = await broken()
      expect(await statuses(gateway, 3)).toEqual([200, 200, 429])
    })

    test('lets everything pass without fields, when told to allow, and says so in the log and the metrics', async () => {
      const gateway = await broken('allow')
      expect(await statuses(gateway, 3)).toEqual([200, 200, 200])
      expect((await gateway.fetch('/x/1')).headers.has('ratelimit')).toBe(false)
      expect(gateway.records[0]).toMatchObject({
        policies: { 'rate-limit': { store: 'unavailable', answer: 'allow' } },
      })
      expect(gateway.metric('sluice_rate_limit_total')).toBe(8)
    })

    test('answers 503 when told to deny, and never 500', async () => {
      const gateway = await broken('deny')
      const response = await gateway.fetch('/x/1')
      expect(response.status).toBe(503)
      expect(response.headers.get('retry-after')).toBe('1')
      expect(await response.json()).toMatchObject({ type: 'urn:sluice:problem:overloaded' })
      expect(gateway.upstreamRequests).toHaveLength(0)
    })
  })

  test('limits a storm of wrong credentials when it stands before the policy that checks them', async () => {
    const clients = { shop: { keys: [{ hash: `sha256:${'a'.repeat(64)}` }] } }
    const gateway = await gatewayWith([{ 'rate-limit': { limit: 2, window: '1m' } }, { 'api-key': { clients } }])
    const guesses = ['one', 'two', 'three', 'four']
    const all: number[] = []
    for (const key of guesses) all.push(...(await statuses(gateway, 1, { headers: { 'x-api-key': key } })))
    expect(all).toEqual([401, 401, 429, 429])
    expect(gateway.upstreamRequests).toHaveLength(0)
  })

  test('writes its decision to the log', async () => {
    const gateway = await gatewayWith([{ 'rate-limit': { limit: 1, window: '1m' } }])
    await statuses(gateway, 2)
    expect(gateway.records).toMatchObject([
      { policies: { 'rate-limit': { remaining: { default: 0 } } } },
      { policies: { 'rate-limit': { remaining: { default: 0 }, violated: ['default'] } } },
    ])
  })

  test.each([
    { name: 'neither form', options: {}, says: 'needs "limit" and "window"' },
    { name: 'a limit without a window', options: { limit: 5 }, says: 'needs "window"' },
    {
      name: 'both forms',
      options: { limit: 5, window: '1m', limits: [{ name: 'a', limit: 1, window: '1s' }] },
      says: 'stands beside "limits"',
    },
    {
      name: 'a name twice',
      options: { limits: Array(2).fill({ name: 'a', limit: 1, window: '1s' }) },
      says: 'names two limits',
    },
    { name: 'a refill without a bucket', options: { limit: 5, window: '1m', refill: 2 }, says: 'token-bucket' },
    { name: 'a name that would need escaping', options: { limit: 5, window: '1m', name: 'a"b' }, says: 'kebab-case' },
    {
      name: 'a claim with nobody signed in before',
      options: { limit: 5, window: '1m', by: 'claims.sub' },
      says: 'needs the principal',
    },
    { name: 'no limit at all', options: { limit: 0, window: '1m' }, says: 'expected at least 1' },
  ])('refuses at load: $name', async ({ options, says }) => {
    const failure = await gatewayWith([{ 'rate-limit': options }]).then(
      () => 'loaded',
      (error: unknown) => String(error),
    )
    expect(failure).toContain(says)
  })
})
