import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { principal } from '../../gateway/core/keys.ts'
import { definePolicy } from '../../gateway/core/policy.ts'
import { openPage } from './test-page.ts'

/** Answers with the number of the call, until told to fail. */
function countingUpstream(init: ResponseInit = {}) {
  const upstream = {
    calls: 0,
    fails: false,
    answer: () =>
      upstream.fails ? new Response(null, { status: 503 }) : Response.json({ call: ++upstream.calls }, init),
  }
  return upstream
}

/** Signs everybody in by `x-me`, in the way they name by `x-via`. */
const identify = definePolicy({
  name: 'identify',
  at: 'route',
  options: z.strictObject({ tell: z.boolean().default(false).describe('Whether upstreams are told') }),
  provides: [principal],
  create:
    ({ tell }) =>
    (exchange, next) => {
      const id = exchange.request.headers.get('x-me')
      const via = exchange.request.headers.get('x-via') ?? 'test'
      if (id !== null) exchange.set(principal, { id, claims: { sub: id, team: 't' }, via })
      if (id !== null && tell) exchange.outgoing.set('x-user-id', id)
      return next()
    },
})

type Upstream = ReturnType<typeof countingUpstream>

async function openKept(
  part: object,
  { upstream, tell = false, settings = {} }: { upstream: Upstream; tell?: boolean; settings?: object },
) {
  const parts = { a: { upstream: 'a', path: '/a', ...part } }
  const page = await openPage({
    parts,
    route: { policies: [{ identify: { tell } }, { aggregate: { parts, ...settings } }] },
    register: [identify],
    answers: { a: upstream.answer },
  })
  const ask = async (path = '/page/1', headers: Record<string, string> = {}, ip = '192.0.2.1') => {
    const response = await page.fetch(path, { headers }, { ip })
    const [, ...status] = (response.headers.get('composition-status') ?? '').split(';')
    return { body: await response.text(), status: status.join(';').replace(';dur=0', '') }
  }
  return { ask, clock: page.clock }
}

describe('a part that is cached', () => {
  test('is asked once within its time, and says how old it is', async () => {
    const upstream = countingUpstream()
    const { ask, clock } = await openKept({ cache: '10s' }, { upstream })
    expect(await ask()).toEqual({ body: '{"a":{"call":1}}', status: 'ok' })
    await clock.advance(9_999)
    expect(await ask()).toEqual({ body: '{"a":{"call":1}}', status: 'ok;cached;age=9' })
    await clock.advance(1)
    expect(await ask()).toEqual({ body: '{"a":{"call":2}}', status: 'ok' })
  })

  test('is kept by what it asks', async () => {
    const upstream = countingUpstream()
    const { ask } = await openKept({ cache: '10s', path: '/of/{params.id}', query: { q: '{query.q}' } }, { upstream })
    await ask('/page/1')
    await ask('/page/2')
    await ask('/page/1?q=1')
    await ask('/page/1', { 'accept-language': 'de' })
    expect(upstream.calls).toBe(4)
    expect((await ask('/page/1?unread=1')).status).toBe('ok;cached;age=0')
    expect((await ask('/page/1', { 'accept-language': 'de' })).body).toBe('{"a":{"call":4}}')
  })

  test('is kept by the address of the gateway that its client wrote, of which upstreams may make links', async () => {
    const page = await openPage({
      parts: { a: { cache: '10s' } },
      answers: {
        a: ({ headers }) => Response.json(`${headers.get('x-forwarded-proto')}://${headers.get('x-forwarded-host')}`),
      },
    })
    const addresses = ['http://evil.test', 'http://shop.test', 'https://shop.test']
    for (const address of [...addresses, ...addresses]) {
      const headers = { host: new URL(address).host }
      expect(await (await page.fetch(`${address}/page/1`, { headers })).json()).toEqual({ a: address })
    }
    expect(page.asked).toHaveLength(addresses.length)
  })

  test('keeps no failure', async () => {
    const upstream = countingUpstream()
    const { ask } = await openKept({ cache: '10s', fallback: 0 }, { upstream })
    upstream.fails = true
    expect((await ask()).body).toBe('{"a":0}')
    upstream.fails = false
    expect((await ask()).body).toBe('{"a":{"call":1}}')
  })

  test('is shared by everybody when it reads nothing of the caller', async () => {
    const upstream = countingUpstream()
    const { ask } = await openKept({ cache: '10s' }, { upstream })
    await ask('/page/1', { 'x-me': 'alice', authorization: 'Bearer a', cookie: 'sid=a' })
    await ask('/page/1', { 'x-me': 'bob', authorization: 'Bearer b', cookie: 'sid=b' }, '192.0.2.9')
    expect(upstream.calls).toBe(1)
  })

  test.each([
    { name: 'a claim all of them have', part: { query: { team: '{claims.team}' } } },
    { name: 'who they are', part: { path: '/of/{client.id}' } },
    { name: 'a field they all send', part: { headers: { 'x-plan': '{headers.x-plan}' } } },
    { name: 'a cookie in its condition', part: { when: { 'cookies.sid': { exists: false } } } },
  ])('is never shared between callers when it reads $name', async ({ part }) => {
    const upstream = countingUpstream()
    const { ask } = await openKept({ cache: '10s', ...part }, { upstream })
    for (const me of ['alice', 'bob', 'alice', 'bob']) await ask('/page/1', { 'x-me': me, 'x-plan': 'gold' })
    expect(upstream.calls).toBe(2)
  })

  test('tells callers without a name apart by their address', async () => {
    const upstream = countingUpstream()
    const { ask } = await openKept({ cache: '10s', headers: { 'x-plan': '{headers.x-plan}' } }, { upstream })
    for (const ip of ['192.0.2.1', '192.0.2.2', '192.0.2.1']) await ask('/page/1', { 'x-plan': 'gold' }, ip)
    expect(upstream.calls).toBe(2)
  })

  test('tells callers of one name apart by how they have proved it', async () => {
    const upstream = countingUpstream()
    const { ask } = await openKept({ cache: '10s', path: '/of/{claims.sub}' }, { upstream })
    for (const via of ['jwt', 'api-key', 'jwt']) await ask('/page/1', { 'x-me': 'alice', 'x-via': via })
    expect(upstream.calls).toBe(2)
  })

  test('is asked each time for callers of whom nothing is known', async () => {
    const upstream = countingUpstream()
    const parts = { a: { cache: '10s', headers: { 'x-plan': '{headers.x-plan}' } }, b: { cache: '10s' } }
    const page = await openPage({ parts, answers: { a: upstream.answer, b: {} } })
    for (let i = 0; i < 2; i++) await page.fetch('/page/1', { headers: { 'x-plan': 'gold' } }, {})
    expect(page.asked).toEqual(['a', 'b', 'a'])
  })

  test('is no other part with the same call', async () => {
    const upstream = countingUpstream()
    const call = { upstream: 'a', path: '/same', cache: '10s' }
    const page = await openPage({ parts: { a: call, b: call }, answers: { a: upstream.answer } })
    const shown = '{"a":{"call":1},"b":{"call":2}}'
    expect(await (await page.fetch()).text()).toBe(shown)
    expect(await (await page.fetch()).text()).toBe(shown)
  })

  test('is not shared when it reads a part that reads the caller', async () => {
    const upstream = countingUpstream()
    const parts = {
      me: { upstream: 'me', path: '/{claims.sub}' },
      a: { upstream: 'a', path: '/{parts.me.body.team}', cache: '10s' },
    }
    const page = await openPage({
      parts,
      route: { policies: ['identify', { aggregate: { parts } }] },
      register: [identify],
      answers: { me: { team: 't' }, a: upstream.answer },
    })
    for (const me of ['alice', 'bob', 'alice']) await page.fetch('/page/1', { headers: { 'x-me': me } })
    expect(upstream.calls).toBe(2)
  })

  test('is not shared when earlier policies tell the upstream who is asking', async () => {
    const upstream = countingUpstream()
    const { ask } = await openKept({ cache: '10s' }, { upstream, tell: true })
    for (const me of ['alice', 'bob', 'alice']) await ask('/page/1', { 'x-me': me })
    expect(upstream.calls).toBe(2)
  })

  test.each([
    { headers: { 'cache-control': 'max-age=9, no-store' } },
    { headers: { 'cache-control': 'private' } },
    { headers: { vary: '*' } },
    { headers: { vary: 'accept-encoding, Forwarded' } },
    { headers: { vary: 'X-Forwarded-For' } },
    { headers: { 'set-cookie': 'sid=1' } },
  ])('is not kept against the word of its upstream: %j', async (init) => {
    const upstream = countingUpstream(init)
    const { ask } = await openKept({ cache: '10s' }, { upstream })
    await ask()
    await ask()
    expect(upstream.calls).toBe(2)
  })

  test('may keep for one caller what is private', async () => {
    const upstream = countingUpstream({ headers: { 'cache-control': 'private' } })
    const { ask } = await openKept({ cache: '10s', query: { me: '{claims.sub}' } }, { upstream })
    await ask('/page/1', { 'x-me': 'alice' })
    await ask('/page/1', { 'x-me': 'alice' })
    expect(upstream.calls).toBe(1)
  })

  test('forgets the least recently used when its memory is full', async () => {
    const upstream = countingUpstream()
    const { ask } = await openKept(
      { cache: '10s', path: '/of/{params.id}' },
      { upstream, settings: { memory: '2KiB' } },
    )
    await ask('/page/1')
    await ask('/page/2')
    expect((await ask('/page/1')).status).toContain('cached')
    await ask('/page/3')
    expect((await ask('/page/1')).status).toContain('cached')
    expect((await ask('/page/2')).status).toBe('ok')
  })

  test('is there at once for the longest list', async () => {
    const each = { 'for-each': { items: '{body}', 'at-most': 3_000 }, path: '/{item}', cache: '10s' }
    const page = await openPage({ parts: { each }, settings: { memory: '64MiB' }, answers: { each: {} } })
    const init = { method: 'POST', body: JSON.stringify(Array.from({ length: 3_000 }, (_, i) => i)) }
    await page.fetch('/page/1', init)
    const response = await page.fetch('/page/1', init)
    expect(response.headers.get('composition-complete')).toBe('?1')
    expect(page.asked).toHaveLength(3_000)
  }, 20_000)

  test('needs no place in the queue for calls', async () => {
    const upstream = countingUpstream()
    const parts = { a: { cache: '10s' }, slow: {} }
    const page = await openPage({ parts, settings: { concurrency: 1 }, answers: { a: upstream.answer } })
    const first = page.fetch()
    await page.clock.advance(0)
    await page.answer('slow', {})
    await first
    const second = page.fetch()
    await page.clock.advance(0)
    expect(page.asked).toEqual(['a', 'slow', 'slow'])
    await page.answer('slow', {})
    expect(await (await second).text()).toBe('{"a":{"call":1},"slow":{}}')
  })
})

describe('a part that falls back to a stale reply', () => {
  test('has the last good reply stand in, up to an hour old, and says so', async () => {
    const upstream = countingUpstream()
    const { ask, clock } = await openKept({ 'fallback-to': 'stale' }, { upstream })
    await ask()
    expect((await ask()).body).toBe('{"a":{"call":2}}')
    upstream.fails = true
    await clock.advance(12_900)
    expect(await ask()).toEqual({ body: '{"a":{"call":2}}', status: 'fallback;stale;age=12;error="status";status=503' })
    await clock.advance(3_600_000 - 12_900)
    expect((await ask()).body).toContain('upstream-invalid-response')
  })

  test('has its own bound of age, and a fixed fallback after that', async () => {
    const upstream = countingUpstream()
    const { ask, clock } = await openKept({ 'fallback-to': { stale: '10s' }, fallback: { call: 0 } }, { upstream })
    await ask()
    upstream.fails = true
    await clock.advance(9_999)
    expect((await ask()).body).toBe('{"a":{"call":1}}')
    await clock.advance(1)
    expect(await ask()).toEqual({ body: '{"a":{"call":0}}', status: 'fallback;error="status";status=503' })
  })

  test('has it stand in also when what it reads came with the end of the time', async () => {
    const parts = {
      slow: { fallback: { x: 1 } },
      b: { path: '/{parts.slow.body.x}', 'fallback-to': 'stale', fallback: 'none' },
    }
    let isSlow = false
    const slow = () => (isSlow ? new Promise<Response>(() => {}) : Response.json({ x: 1 }))
    const page = await openPage({ parts, settings: { timeout: '1s' }, answers: { slow, b: { y: 2 } } })
    expect(await (await page.fetch()).text()).toBe('{"slow":{"x":1},"b":{"y":2}}')
    isSlow = true
    const answer = page.fetch()
    await page.clock.advance(1_000)
    const response = await answer
    expect(response.headers.get('composition-status')).toBe(
      'slow;fallback;error="timeout", b;fallback;stale;age=1;error="timeout"',
    )
    expect(page.urlsOf('b')).toHaveLength(1)
  })

  test('is read by others with its status', async () => {
    const upstream = countingUpstream()
    const parts = { a: { 'fallback-to': 'stale' }, b: { path: '/{parts.a.body.call}' } }
    const page = await openPage({ parts, answers: { a: upstream.answer, b: {} } })
    await page.fetch()
    upstream.fails = true
    await page.fetch()
    expect(page.urlsOf('b')).toEqual(['http://b.test/1', 'http://b.test/1'])
  })

  test('keeps callers apart', async () => {
    const upstream = countingUpstream()
    const { ask } = await openKept({ 'fallback-to': 'stale', query: { t: '{claims.team}' } }, { upstream })
    await ask('/page/1', { 'x-me': 'alice' })
    upstream.fails = true
    expect((await ask('/page/1', { 'x-me': 'alice' })).body).toBe('{"a":{"call":1}}')
    expect((await ask('/page/1', { 'x-me': 'bob' })).body).not.toContain('"call"')
  })

  test('is counted as what it is, as every part is', async () => {
    const upstream = countingUpstream()
    const parts = {
      a: { 'fallback-to': 'stale' },
      b: { cache: '1m' },
      c: { when: { 'query.c': '1' } },
      d: {},
      e: { fallback: 1 },
    }
    const refuse = () => new Response(null, { status: 404 })
    const page = await openPage({ parts, answers: { a: upstream.answer, b: {}, d: refuse, e: refuse } })
    await page.fetch()
    upstream.fails = true
    await page.fetch()
    const mount = 'routes.page.aggregate'
    const counted = { a: ['ok', 'stale'], b: ['ok', 'cached'], c: ['skipped'], d: ['failed'], e: ['fallback'] }
    for (const [part, outcomes] of Object.entries(counted)) {
      const sums = outcomes.map((outcome) => page.metric('sluice_parts_total', { mount, part, outcome }))
      expect(sums).toEqual(outcomes.length === 1 ? [2] : [1, 1])
    }
  })

  test('stands in for single items of a list', async () => {
    let fails = false
    const answer = ({ url }: Request) =>
      fails && url.endsWith('/2') ? new Response(null, { status: 500 }) : Response.json(url.at(-1))
    const parts = { each: { 'for-each': '{body}', path: '/{item}', 'fallback-to': 'stale' } }
    const page = await openPage({ parts, answers: { each: answer } })
    const init = { method: 'POST', body: '[1,2]' }
    await page.fetch('/page/1', init)
    fails = true
    const response = await page.fetch('/page/1', init)
    expect(await response.text()).toBe('{"each":["1","2"]}')
    expect(response.headers.get('composition-status')).toBe('each;partial;dur=0;failed=1;error="status";status=500')
  })
})
