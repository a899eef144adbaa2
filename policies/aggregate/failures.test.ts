import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { GatewayError } from '../../gateway/core/errors.ts'
import { definePolicy } from '../../gateway/core/policy.ts'
import { compositionOf, JSON_TYPE, openPage, PRODUCT_PAGE, type Scripted } from './test-page.ts'

const status = (code: number) => () => new Response('secret stack trace', { status: code })
const refuse = () => {
  throw new TypeError('connect ECONNREFUSED 10.0.0.7:9102')
}
const garbage = () => new Response('{"half":', { headers: JSON_TYPE })

/** An upstream policy that fails the way a layer of the gateway would. */
const failing = (error: () => Error) =>
  definePolicy({
    name: 'failing',
    at: 'upstream',
    options: z.strictObject({}),
    create: () => (call, next) => {
      if (call.upstream === 'a') throw error()
      return next()
    },
  })

interface Cause {
  readonly name: string
  readonly answer: Scripted
  readonly error: Readonly<Record<string, unknown>>
  readonly problem: string
  readonly status: number
}

const CAUSES: readonly Cause[] = [
  {
    name: 'a 404',
    answer: status(404),
    error: { error: 'status', status: 404 },
    problem: 'upstream-invalid-response',
    status: 502,
  },
  {
    name: 'a 500',
    answer: status(500),
    error: { error: 'status', status: 500 },
    problem: 'upstream-invalid-response',
    status: 502,
  },
  {
    name: 'a redirect',
    answer: status(302),
    error: { error: 'status', status: 302 },
    problem: 'upstream-invalid-response',
    status: 502,
  },
  {
    name: 'no connection',
    answer: refuse,
    error: { error: 'unreachable' },
    problem: 'upstream-unreachable',
    status: 502,
  },
  {
    name: 'invalid JSON',
    answer: garbage,
    error: { error: 'invalid-response' },
    problem: 'upstream-invalid-response',
    status: 502,
  },
]

describe('a part that failed', () => {
  test.each([...CAUSES])('is replaced by its fallback after $name', async ({ answer, error }) => {
    const page = await openPage({
      parts: { a: { fallback: { x: [null] } }, b: {} },
      answers: { a: answer, b: { ok: 1 } },
    })
    const response = await page.fetch()
    expect(response.status).toBe(200)
    expect(await response.text()).toBe('{"a":{"x":[null]},"b":{"ok":1}}')
    expect(compositionOf(response)).toEqual({
      complete: false,
      parts: { a: { fallback: true, ...error }, b: { ok: true } },
    })
    expect(response.headers.get('cache-control')).toBe('no-store')
  })

  test.each([...CAUSES])('is left out without a fallback after $name', async ({ answer, error }) => {
    const page = await openPage({ parts: { a: {}, b: {} }, answers: { a: answer, b: { ok: 1 } } })
    const response = await page.fetch()
    expect(response.status).toBe(200)
    expect(await response.text()).toBe('{"b":{"ok":1}}')
    expect(compositionOf(response)).toEqual({
      complete: false,
      parts: { a: { failed: true, ...error }, b: { ok: true } },
    })
  })

  test.each([...CAUSES])(
    'decides the answer when it was required after $name',
    async ({ answer, error, problem, status }) => {
      const page = await openPage({ parts: { b: {}, a: { required: true } }, answers: { a: answer, b: { ok: 1 } } })
      const response = await page.fetch()
      expect(response.status).toBe(status)
      expect(response.headers.get('content-type')).toBe('application/problem+json')
      expect(response.headers.get('cache-control')).toBe('no-store')
      expect(compositionOf(response).parts.a).toEqual({ failed: true, ...error })
      const text = await response.text()
      expect(JSON.parse(text)).toMatchObject({
        type: `urn:sluice:problem:${problem}`,
        status,
        parts: [{ name: 'a', ...error }],
      })
      for (const secret of ['a.test', '10.0.0.7', 'stack', 'half']) expect(text).not.toContain(secret)
    },
  )

  test('may have null for a fallback', async () => {
    const page = await openPage({ parts: { a: { fallback: null }, b: {} }, answers: { a: status(500), b: {} } })
    expect(await (await page.fetch()).text()).toBe('{"a":null,"b":{}}')
  })

  test.each([
    { name: 'circuit-open', code: 'circuit-open', status: 503, retryAfter: '7' },
    { name: 'overloaded', code: 'overloaded', status: 503, retryAfter: '1' },
    { name: 'a policy of the user', code: 'forbidden', status: 403, retryAfter: null },
  ] as const)('passes on what a policy around its upstream says: $name', async ({ code, status, retryAfter }) => {
    const headers: Record<string, string> = retryAfter === null ? {} : { 'retry-after': retryAfter }
    const page = await openPage({
      parts: { a: { required: true } },
      upstreamPolicies: ['failing'],
      register: [failing(() => new GatewayError(code, { headers }))],
    })
    const response = await page.fetch()
    expect(response.status).toBe(status)
    expect(response.headers.get('retry-after')).toBe(retryAfter)
    expect(compositionOf(response).parts.a).toEqual({ failed: true, error: code })
    expect(await response.json()).toMatchObject({ type: `urn:sluice:problem:${code}` })
  })

  test('is the gateway’s failure when a policy has a bug, and the other calls are cancelled', async () => {
    const page = await openPage({
      parts: { b: {}, a: {} },
      upstreamPolicies: ['failing'],
      register: [failing(() => new TypeError('undefined is not a function'))],
    })
    const response = await page.fetch()
    expect(response.status).toBe(500)
    expect(page.requestTo('b').signal.aborted).toBe(true)
    expect(
      page.lines.some(({ level, facts }) => level === 'error' && String(facts.error).includes('undefined is not')),
    ).toBe(true)
  })
})

describe('a part that reads a part that failed', () => {
  test('reads the fallback as if it were the body', async () => {
    const page = await openPage({
      parts: { a: { fallback: { sku: 'x/y' } }, b: { path: '/b/{parts.a.body.sku}' } },
      answers: { a: status(500), b: {} },
    })
    const response = await page.fetch()
    expect(page.requestTo('b').url).toBe('http://b.test/b/x%2Fy')
    expect(compositionOf(response).parts.b).toEqual({ ok: true })
  })

  test('is not asked when there is no fallback', async () => {
    const page = await openPage({
      parts: { a: {}, b: { path: '/b/{parts.a.body.sku}', fallback: 0 }, c: {}, d: { path: '/d/{parts.b.status}' } },
      answers: { a: status(500), c: {} },
    })
    const response = await page.fetch()
    expect(page.asked).toEqual(['a', 'c'])
    expect(await response.text()).toBe('{"b":0,"c":{}}')
    expect(compositionOf(response).parts).toEqual({
      a: { failed: true, error: 'status', status: 500 },
      b: { fallback: true, error: 'input' },
      c: { ok: true },
      // A fallback has no status, and a path needs its values.
      d: { failed: true, error: 'input' },
    })
  })

  test.each([
    { name: 'a refused connection', answer: refuse, status: 502, problem: 'upstream-unreachable' },
    { name: 'a circuit that is open', answer: {}, status: 503, problem: 'circuit-open' },
  ])('answers for the cause when it is required: $name', async ({ answer, status, problem }) => {
    const page = await openPage({
      parts: { a: {}, b: { path: '/b/{parts.a.body.sku}', required: true } },
      answers: { a: answer },
      ...(status === 503 && {
        upstreamPolicies: ['failing'],
        register: [failing(() => new GatewayError('circuit-open', { headers: { 'retry-after': '9' } }))],
      }),
    })
    const response = await page.fetch()
    expect(response.status).toBe(status)
    expect(response.headers.get('retry-after')).toBe(status === 503 ? '9' : null)
    expect(await response.json()).toMatchObject({ type: `urn:sluice:problem:${problem}` })
    expect(compositionOf(response).parts.b).toEqual({ failed: true, error: 'input' })
  })

  test('does not wait for its other inputs', async () => {
    const page = await openPage({
      parts: { a: {}, slow: {}, b: { path: '/{parts.slow.body.x}/{parts.a.body.x}', required: true } },
      answers: { a: status(500) },
    })
    const response = await page.fetch()
    expect(response.status).toBe(502)
    expect(page.requestTo('slow').signal.aborted).toBe(true)
  })

  test.each([
    { name: 'is missing', body: { other: 1 } },
    { name: 'is null', body: { sku: null } },
    { name: 'is a dot segment', body: { sku: '..' } },
    { name: 'is longer than any path', body: { sku: 'x'.repeat(20_000) } },
  ])('is not asked when a value for its path $name', async ({ body }) => {
    const page = await openPage({
      parts: { a: {}, b: { path: '/b/{parts.a.body.sku}', required: true } },
      answers: { a: body },
    })
    const response = await page.fetch()
    expect(page.asked).toEqual(['a'])
    expect(response.status).toBe(502)
    expect(compositionOf(response).parts).toEqual({ a: { ok: true }, b: { failed: true, error: 'input' } })
  })
})

describe('a part for which the client did not send what it needs', () => {
  test('is the client’s mistake when it is required', async () => {
    const page = await openPage({ parts: { a: { path: '/of/{query.user}', required: true } } })
    const response = await page.fetch()
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({
      type: 'urn:sluice:problem:invalid-request',
      detail: expect.stringContaining('query.user'),
      parts: [{ name: 'a', error: 'input' }],
    })
    expect(page.asked).toEqual([])
  })

  test('fails alone when it is optional', async () => {
    const page = await openPage({
      parts: { a: { path: '/of/{cookies.sid}', fallback: [] }, b: {} },
      answers: { b: {} },
    })
    const response = await page.fetch()
    expect(await response.text()).toBe('{"a":[],"b":{}}')
    expect(compositionOf(response).parts.a).toEqual({ fallback: true, error: 'input' })
  })
})

describe('an aggregate without a single reply', () => {
  test.each([
    { name: '502 when none can be reached', a: refuse, b: refuse, status: 502, problem: 'upstream-unreachable' },
    {
      name: '502 when all answer 404',
      a: status(404),
      b: status(404),
      status: 502,
      problem: 'upstream-invalid-response',
    },
  ])('is no empty document but $name', async ({ a, b, status, problem }) => {
    const page = await openPage({ parts: { a: {}, b: {} }, answers: { a, b } })
    const response = await page.fetch()
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({
      type: `urn:sluice:problem:${problem}`,
      parts: [{ name: 'a' }, { name: 'b' }],
    })
    expect(compositionOf(response).complete).toBe(false)
  })

  test('is a failure when only some have a fallback', async () => {
    const page = await openPage({ parts: { a: { fallback: 1 }, b: {} }, answers: { a: refuse, b: status(404) } })
    const response = await page.fetch()
    expect(response.status).toBe(502)
    expect(await response.json()).toMatchObject({ detail: expect.stringContaining('"b"') })
  })

  test('is an answer when every part has a fallback', async () => {
    const page = await openPage({
      parts: { a: { fallback: 1 }, b: { fallback: [] } },
      answers: { a: refuse, b: refuse },
    })
    const response = await page.fetch()
    expect(response.status).toBe(200)
    expect(await response.text()).toBe('{"a":1,"b":[]}')
    expect(compositionOf(response).complete).toBe(false)
  })
})

describe('the product page', () => {
  test('stands without promotions and stock, and says so', async () => {
    const page = await openPage({
      config: PRODUCT_PAGE,
      answers: { catalog: { sku: 'A' }, inventory: refuse, pricing: { amount: 1 }, promotions: status(503) },
    })
    const response = await page.fetch('/products/7')
    expect(await response.text()).toBe(
      '{"product":{"sku":"A"},"stock":{"available":null},"price":{"amount":1},"promotions":[]}',
    )
    expect(response.headers.get('composition-status')).toBe(
      'product;ok;dur=0, stock;fallback;error="unreachable", price;ok;dur=0, promotions;fallback;error="status";status=503',
    )
  })

  test('falls with its product', async () => {
    const page = await openPage({
      config: PRODUCT_PAGE,
      answers: { catalog: status(500), inventory: { available: 1 } },
    })
    const response = await page.fetch('/products/7')
    expect(response.status).toBe(502)
    expect(page.asked).toEqual(['catalog', 'inventory'])
  })
})
