import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { principal } from '../../gateway/core/keys.ts'
import { definePolicy } from '../../gateway/core/policy.ts'
import { JSON_TYPE, openPage } from './test-page.ts'

const replying = (headers: Record<string, string>) => () => Response.json({}, { headers })

/** What the answer says of caching when its parts, `p0`, `p1`, …, say these. */
async function cachingOf(fields: readonly (Record<string, string> | null)[], parts: Record<string, object> = {}) {
  const names = fields.map((_, i) => `p${i}`)
  const page = await openPage({
    parts: Object.fromEntries(names.map((name) => [name, parts[name] ?? {}])),
    answers: Object.fromEntries(fields.map((field, i) => [`p${i}`, replying(field ?? {})])),
  })
  const { headers } = await page.fetch('/page/1', { headers: { 'x-shop': 'basel' } })
  return { cacheControl: headers.get('cache-control'), vary: headers.get('vary'), etag: headers.get('etag') }
}

describe('Cache-Control of an answer', () => {
  const cases: readonly (readonly [says: string, parts: readonly (string | null)[], answer: string])[] = [
    ['the least time', ['max-age=60', 'public, max-age=10'], 'max-age=10'],
    ['public when all are', ['public, max-age=60', 'max-age=30, PUBLIC'], 'public, max-age=30'],
    ['private when one is', ['public, max-age=60', 'private, max-age=90'], 'private, max-age=60'],
    ['private, whatever field that is about', ['max-age=60', 'private="x-user", max-age=90'], 'private, max-age=60'],
    ['no-cache when one is', ['max-age=60', 'no-cache'], 'no-cache'],
    ['no-store when one is', ['public, max-age=60', 'max-age=5, no-store', null], 'no-store'],
    ['no-cache when one says nothing', ['public, max-age=60', null], 'no-cache'],
    ['no-cache when one tells no time', ['public, max-age=60', 'public'], 'public, no-cache'],
    ['the least shared time', ['max-age=60, s-maxage=300', 'max-age=100'], 'max-age=60, s-maxage=100'],
    ['no shared time in private', ['private, max-age=60', 's-maxage=300, max-age=100'], 'private, max-age=60'],
    ['no time for others beside a shared one', ['s-maxage=300'], 'max-age=0, s-maxage=300'],
    ['what has to be asked again', ['max-age=60, must-revalidate', 'max-age=70'], 'max-age=60, must-revalidate'],
    ['no time when it is no number', ['max-age=soon', 'max-age=70'], 'max-age=0'],
    ['the least of two times of one', ['max-age=60, max-age=9'], 'max-age=9'],
    ['the least of two times of one, whichever is first', ['max-age=9, max-age=60'], 'max-age=9'],
    ['a quoted time', ['max-age="60"'], 'max-age=60'],
    ['nothing that would keep it longer', ['max-age=60, stale-if-error=900, immutable'], 'max-age=60'],
  ]
  test.each(cases.map(([says, parts, answer]) => ({ says, parts, answer })))(
    'says $says',
    async ({ parts, answer }) => {
      const given = parts.map((field) => (field === null ? null : { 'cache-control': field }))
      expect((await cachingOf(given)).cacheControl).toBe(answer)
    },
  )

  test('counts the age of a reply', async () => {
    expect((await cachingOf([{ 'cache-control': 'max-age=60', age: '45' }])).cacheControl).toBe('max-age=15')
    expect((await cachingOf([{ 'cache-control': 'max-age=60', age: '99' }])).cacheControl).toBe('max-age=0')
  })

  test('counts how long a reply was remembered', async () => {
    const page = await openPage({
      parts: { a: { cache: '10m' } },
      answers: { a: replying({ 'cache-control': 'max-age=60' }) },
    })
    await page.fetch()
    await page.clock.advance(20_500)
    expect((await page.fetch()).headers.get('cache-control')).toBe('max-age=39')
  })

  test('counts every reply of a list, and those of hidden parts', async () => {
    const list = await openPage({
      parts: { l: { hidden: true }, a: { path: '/{item}', 'for-each': '{parts.l.body}' } },
      answers: {
        l: () => Response.json([1, 2], { headers: { 'cache-control': 'max-age=50' } }),
        a: ({ url }) => replying({ 'cache-control': url.endsWith('/2') ? 'max-age=5' : 'max-age=60' })(),
      },
    })
    expect((await list.fetch()).headers.get('cache-control')).toBe('max-age=5')
  })

  test('is for no shared cache when fields of the request choose what is asked', async () => {
    const field = { 'cache-control': 'public, max-age=60' }
    expect(
      await cachingOf([field, field], {
        p0: { path: '/{headers.x-shop}' },
        p1: { when: { 'cookies.beta': { exists: false } } },
      }),
    ).toMatchObject({ cacheControl: 'private, max-age=60', vary: 'x-shop, cookie' })
  })

  test('has a cache ask each time when the caller chooses what is asked, or is known to upstreams', async () => {
    const field = { 'cache-control': 'public, max-age=60' }
    expect((await cachingOf([field], { p0: { path: '/{client.ip}' } })).cacheControl).toBe('private, no-cache')
    const identify = definePolicy({
      name: 'identify',
      at: 'route',
      options: z.strictObject({}),
      create: () => (exchange, next) => {
        exchange.set(principal, { id: 'alice', claims: {}, via: 'test' })
        return next()
      },
    })
    const page = await openPage({
      parts: { a: {} },
      route: { policies: ['identify', { aggregate: { parts: { a: { upstream: 'a', path: '/' } } } }] },
      register: [identify],
      answers: { a: replying(field) },
    })
    expect((await page.fetch()).headers.get('cache-control')).toBe('private, no-cache')
  })

  test('is no-store when something is missing or replaced, without a tag', async () => {
    const page = await openPage({
      parts: { a: {}, b: { fallback: 1 } },
      answers: { a: replying({ 'cache-control': 'max-age=60' }), b: () => new Response(null, { status: 500 }) },
    })
    const { headers } = await page.fetch()
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.has('etag')).toBe(false)
  })
})

describe('Vary of an answer', () => {
  test('joins what the replies vary with, but for the coding, which the calls choose', async () => {
    const fields = [{ vary: 'Accept-Language, accept-encoding' }, { vary: 'x-shop,Accept-Language' }, null]
    expect((await cachingOf(fields)).vary).toBe('accept-language, x-shop')
    expect((await cachingOf([{ vary: 'accept-encoding' }])).vary).toBeNull()
    expect((await cachingOf([{ vary: 'a' }, { vary: '*' }])).vary).toBe('*')
  })
})

describe('ETag of an answer', () => {
  const parts = { a: {}, b: {} }
  const fields = { 'cache-control': 'public, max-age=60', vary: 'x-shop', etag: '"upstream"' }
  const open = (a: object = { n: 1 }, settings = {}) =>
    openPage({ parts, settings, answers: { a: () => Response.json(a, { headers: fields }), b: replying(fields) } })

  test('is strong, the same for the same bytes, and another for others', async () => {
    const [one, same, other] = await Promise.all(
      [{ n: 1 }, { n: 1 }, { n: 2 }].map(async (a) => (await open(a)).fetch()),
    )
    const tag = one?.headers.get('etag') ?? ''
    expect(tag).toMatch(/^"[A-Za-z0-9_-]{22}"$/)
    expect(same?.headers.get('etag')).toBe(tag)
    expect(other?.headers.get('etag')).not.toBe(tag)
  })

  test.each([
    { name: 'itself', known: (tag: string) => tag, status: 304 },
    { name: 'a weak form of it', known: (tag: string) => `W/${tag}`, status: 304 },
    { name: 'it among others', known: (tag: string) => `"x", W/"y,z" ,${tag}`, status: 304 },
    { name: 'anything', known: () => '*', status: 304 },
    { name: 'another', known: () => '"x"', status: 200 },
    { name: 'it without its quotes', known: (tag: string) => tag.slice(1, -1), status: 200 },
    { name: 'one that only begins with it', known: (tag: string) => `${tag.slice(0, -1)}x"`, status: 200 },
  ])('answers $status when the client has $name', async ({ known, status }) => {
    const page = await open()
    const tag = (await page.fetch()).headers.get('etag') ?? ''
    const response = await page.fetch('/page/1', { headers: { 'if-none-match': known(tag) } })
    expect(response.status).toBe(status)
    expect(response.headers.get('etag')).toBe(tag)
    expect(response.headers.get('cache-control')).toBe('public, max-age=60')
    expect(response.headers.get('vary')).toBe('x-shop')
    expect(response.headers.get('composition-complete')).toBe('?1')
    expect(response.headers.has('content-type')).toBe(status === 200)
    expect(await response.text()).toBe(status === 304 ? '' : '{"a":{"n":1},"b":{}}')
  })

  test('is the same for HEAD, which has no body but its length', async () => {
    const page = await open()
    const tag = (await page.fetch()).headers.get('etag')
    const head = await page.fetch('/page/1', { method: 'HEAD' })
    expect(head.status).toBe(200)
    expect(head.headers.get('etag')).toBe(tag)
    expect(head.headers.get('content-length')).toBe('20')
    expect(head.headers.get('content-type')).toBe('application/json')
    expect(await head.text()).toBe('')
    const known = await page.fetch('/page/1', { method: 'HEAD', headers: { 'if-none-match': '*' } })
    expect(known.status).toBe(304)
    expect(known.headers.get('content-length')).toBeNull()
  })

  test('is left out where nobody may keep the answer, for other methods, and when told so', async () => {
    expect((await cachingOf([{ 'cache-control': 'no-store' }])).etag).toBeNull()
    const page = await open()
    expect((await page.fetch('/page/1', { method: 'POST' })).headers.has('etag')).toBe(false)
    const without = await open({}, { etag: false })
    const response = await without.fetch('/page/1', { headers: { 'if-none-match': '*' } })
    expect(response.status).toBe(200)
    expect(response.headers.has('etag')).toBe(false)
  })
})

describe('fields of replies', () => {
  const cookies = (...all: string[]) =>
    new Headers([...Object.entries(JSON_TYPE), ...all.map((one): [string, string] => ['set-cookie', one])])

  test('pass only when declared, cookies of all parts in the order of the file', async () => {
    const page = await openPage({
      parts: {
        b: { 'response-headers': ['set-cookie', 'X-Total', 'x-none'] },
        a: { 'response-headers': ['set-cookie'] },
        c: {},
      },
    })
    const asking = page.fetch()
    await page.clock.advance(0)
    await page.answer('a', new Response('{}', { headers: cookies('a=1; Path=/') }))
    await page.answer('c', new Response('{}', { headers: cookies('c=1') }))
    const headers = cookies('b=1, 2', 'bb=3; HttpOnly')
    headers.set('x-total', '7')
    headers.set('x-secret', '8')
    await page.answer('b', new Response('{}', { headers }))
    const answer = await asking
    expect(answer.headers.getSetCookie()).toEqual(['b=1, 2', 'bb=3; HttpOnly', 'a=1; Path=/'])
    expect(answer.headers.get('x-total')).toBe('7')
    expect(answer.headers.has('x-secret')).toBe(false)
    expect(answer.headers.has('x-none')).toBe(false)
    expect(answer.headers.get('cache-control')).toBe('private, no-cache')
  })

  test('pass with an answer that is not whole, but not from a part that failed nor with a problem', async () => {
    const page = await openPage({
      parts: { a: { 'response-headers': ['x-a'] }, b: { 'response-headers': ['x-b'] } },
      answers: {
        a: replying({ 'x-a': '1' }),
        b: () => new Response(null, { status: 500, headers: { 'x-b': '2' } }),
      },
    })
    const { headers } = await page.fetch()
    expect([headers.get('x-a'), headers.get('x-b')]).toEqual(['1', null])
  })

  test('set no cookie again from a remembered reply', async () => {
    const page = await openPage({
      parts: { a: { path: '/{client.ip}', cache: '1m', 'response-headers': ['set-cookie', 'x-a'] } },
      answers: { a: replying({ 'set-cookie': 'a=1', 'x-a': '1' }) },
    })
    expect((await page.fetch()).headers.getSetCookie()).toEqual(['a=1'])
    const { headers } = await page.fetch()
    expect(page.asked).toEqual(['a'])
    expect([headers.getSetCookie(), headers.get('x-a')]).toEqual([[], '1'])
  })
})
