import { describe, expect, test } from 'bun:test'
import { compositionOf, JSON_TYPE, openPage } from './test-page.ts'

const PRODUCT = {
  sku: 'A/1',
  price: 12.5,
  tags: ['a b', 'c&d'],
  size: { w: 3 },
  none: null,
  many: [{ id: 1 }, { id: 2 }],
}

/** Asks `a` and then `b`, which reads it; gives what `b` was asked. */
async function askB(part: object, { init, body = PRODUCT }: { init?: RequestInit; body?: object } = {}) {
  const page = await openPage({ parts: { a: {}, b: part }, answers: { a: body, b: {} } })
  const response = await page.fetch('/page/7?q=1', init)
  expect(compositionOf(response).parts.b).toEqual({ ok: true })
  return page.requestTo('b')
}

describe('the query of a part', () => {
  test('is added to the path, each value encoded, a list repeated and a missing value left out', async () => {
    const query = {
      sku: '{parts.a.body.sku}',
      tag: '{parts.a.body.tags}',
      missing: '{parts.a.body.nope}',
      none: '{parts.a.body.none}',
      'f[x]': 'p={query.q}',
      size: '{parts.a.body.size}',
      n: 5,
      flag: true,
    }
    const { url } = await askB({ query })
    expect(url).toBe(
      'http://b.test/b?sku=A%2F1&tag=a%20b&tag=c%26d&f%5Bx%5D=p%3D1&size=%7B%22w%22%3A3%7D&n=5&flag=true',
    )
    expect(new URL(url).searchParams.getAll('tag')).toEqual(['a b', 'c&d'])
  })

  test('follows a query that is part of the path', async () => {
    expect((await askB({ path: '/b?x=1', query: { y: '{parts.a.body.price}' } })).url).toBe(
      'http://b.test/b?x=1&y=12.5',
    )
  })
})

describe('the headers of a part', () => {
  test('carry values of the client and of other parts, an empty one is left out', async () => {
    const headers = {
      'X-Sku': '{parts.a.body.sku}',
      'x-session': '{cookies.sid}',
      'x-none': '{headers.x-nope}',
      accept: 'application/hal+json',
    }
    const sent = (await askB({ headers }, { init: { headers: { cookie: 'sid=s1; other=2' } } })).headers
    expect(sent.get('x-sku')).toBe('A/1')
    expect(sent.get('x-session')).toBe('s1')
    expect(sent.has('x-none')).toBe(false)
    expect(sent.get('accept')).toBe('application/hal+json')
    expect(sent.get('accept-encoding')).toBe('identity')
    expect(sent.has('cookie')).toBe(false)
  })

  test('cannot be split by a value', async () => {
    const page = await openPage({
      parts: { a: {}, b: { headers: { 'x-sku': '{parts.a.body.sku}' } } },
      answers: { a: { sku: 'x\r\nx-evil: 1' } },
    })
    expect(compositionOf(await page.fetch()).parts.b).toEqual({ failed: true, error: 'input' })
    expect(page.asked).toEqual(['a'])
  })

  test('cannot take the place of who the gateway says is asking', async () => {
    const { headers } = await askB({ headers: { 'x-forwarded-for': '10.0.0.1', 'x-request-id': 'mine' } })
    expect(headers.get('x-forwarded-for')).toBe('192.0.2.1')
    expect(headers.get('x-request-id')).toBe('id-1')
  })
})

describe('the body of a part', () => {
  test('is a document in which a lone reference keeps its JSON type', async () => {
    const body = {
      price: '{parts.a.body.price}',
      text: 'for {parts.a.body.price}',
      size: '{parts.a.body.size}',
      tags: ['{parts.a.body.tags}', '{parts.a.body.nope}', '{parts.a.body.none}'],
      gone: '{parts.a.body.nope}',
      fixed: [1, true, null, 'text'],
      id: '{params.id}',
      __proto__x: {},
    }
    const request = await askB({ method: 'POST', safe: true, body })
    expect(request.method).toBe('POST')
    expect(request.headers.get('content-type')).toBe('application/json')
    expect(await request.json()).toEqual({
      price: 12.5,
      text: 'for 12.5',
      size: { w: 3 },
      tags: [['a b', 'c&d'], null, null],
      fixed: [1, true, null, 'text'],
      id: '7',
      __proto__x: {},
    })
  })

  test.each([
    { name: 'one reference', body: '{parts.a.body.many}', sent: '[{"id":1},{"id":2}]' },
    { name: 'a reference without a value, which is no body', body: '{parts.a.body.nope}', sent: '' },
    { name: 'text that would be markup elsewhere', body: { x: '<"{parts.a.body.sku}">' }, sent: '{"x":"<\\"A/1\\">"}' },
    { name: 'a number', body: 7, sent: '7' },
  ])('may be $name', async ({ body, sent }) => {
    expect(await (await askB({ method: 'POST', safe: true, body })).text()).toBe(sent)
  })

  test('cannot be broken out of', async () => {
    const evil = '","admin":true,"x":"'
    const request = await askB(
      { method: 'POST', safe: true, body: { name: 'n{parts.a.body.sku}' } },
      { body: { sku: evil } },
    )
    expect(await request.json()).toEqual({ name: `n${evil}` })
  })

  test('takes the JSON of the request along', async () => {
    const page = await openPage({
      parts: { a: { method: 'POST', safe: true, body: { order: '{body}' } } },
      answers: { a: {} },
    })
    await page.fetch('/page/1', { method: 'POST', body: '{"items":[{"n":2}]}' })
    expect(await page.requestTo('a').json()).toEqual({ order: { items: [{ n: 2 }] } })
  })
})

describe('a number with more digits than JavaScript keeps', () => {
  const answers = { a: () => new Response('{"id":12345678901234567890}', { headers: JSON_TYPE }) }
  test.each([
    { name: 'path', part: { path: '/of/{parts.a.body.id}' } },
    { name: 'query', part: { query: { id: '{parts.a.body.id}' } } },
    { name: 'body', part: { method: 'POST', safe: true, body: { id: '{parts.a.body.id}' } } },
  ])('fails the part instead of asking for another thing: $name', async ({ part }) => {
    const page = await openPage({ parts: { a: {}, b: part }, answers })
    const response = await page.fetch()
    expect(page.asked).toEqual(['a'])
    expect(await response.text()).toBe('{"a":{"id":12345678901234567890}}')
    expect(page.records[0]).toMatchObject({
      policies: { aggregate: { failed: [{ part: 'b', cause: expect.stringContaining('more digits') }] } },
    })
  })
})

describe('the statuses that are a success', () => {
  const empty = (status: number) => () => new Response(null, { status })
  test.each([
    {
      name: 'a 404 with JSON',
      success: ['2xx', 404],
      reply: () => Response.json({ none: 1 }, { status: 404 }),
      json: '{"none":1}',
    },
    { name: 'a 204 that is named', success: [200, 204], reply: empty(204), json: 'null' },
    { name: 'a class', success: ['4xx'], reply: () => Response.json(1, { status: 418 }), json: '1' },
  ])('may be $name', async ({ success, reply, json }) => {
    const page = await openPage({
      parts: { a: { success }, b: { query: { s: '{parts.a.status}' } } },
      answers: { a: reply, b: {} },
    })
    const response = await page.fetch()
    expect(await response.text()).toBe(`{"a":${json},"b":{}}`)
    expect(compositionOf(response).complete).toBe(true)
    expect(page.requestTo('b').url).toBe(`http://b.test/b?s=${reply().status}`)
  })

  test.each([
    {
      name: 'a 200 when only 404 is one',
      success: [404],
      reply: () => Response.json({}),
      error: { error: 'status', status: 200 },
    },
    {
      name: 'a 204 of a class, which has no document',
      success: ['2xx'],
      reply: empty(204),
      error: { error: 'invalid-response' },
    },
  ])('leave out $name', async ({ success, reply, error }) => {
    const page = await openPage({ parts: { a: { success }, b: {} }, answers: { a: reply, b: {} } })
    expect(compositionOf(await page.fetch()).parts.a).toEqual({ failed: true, ...error })
  })
})

describe('a status that is passed', () => {
  const refuse = (status: number) => () => Response.json({ secret: 'stack trace' }, { status })
  const parts = { a: { required: true, 'pass-status': [404, 409] }, b: {} }

  test.each([404, 409])('is that of the answer: %i', async (status) => {
    const page = await openPage({ parts, answers: { a: refuse(status), b: {} } })
    const response = await page.fetch()
    expect(response.status).toBe(status)
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(compositionOf(response)).toEqual({
      complete: false,
      parts: { a: { failed: true, error: 'status', status }, b: { failed: true, error: 'cancelled' } },
    })
    const problem = await response.json()
    expect(problem).toEqual({
      type: 'urn:sluice:problem:upstream-refused',
      title: 'A service refused the request',
      status,
      detail: `The part "a" failed: its upstream answered ${status}`,
      instance: 'id-1',
      parts: [{ name: 'a', error: 'status', status }],
    })
    expect(page.records[0]).toMatchObject({ failure: 'upstream-refused', status })
  })

  test.each([403, 500])('is none that was not named: %i is a 502', async (status) => {
    const page = await openPage({ parts, answers: { a: refuse(status), b: {} } })
    expect((await page.fetch()).status).toBe(502)
  })
})
