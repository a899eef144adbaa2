import { describe, expect, test } from 'bun:test'
import { compositionOf, openPage } from './test-page.ts'

const A = { kind: 'book', price: 12.5, stock: '7', tags: ['new', 'sale'], none: null, ok: true }

/** Whether `b` is asked under a condition. */
async function isAsked(when: unknown, init?: RequestInit): Promise<boolean> {
  const page = await openPage({ parts: { a: {}, b: { when } }, answers: { a: A, b: { x: 1 } } })
  const response = await page.fetch('/page/7?n=3&q=yes', { headers: { 'x-release': 'canary' }, ...init })
  const { complete, parts } = compositionOf(response)
  const asked = page.asked.includes('b')
  expect(complete).toBe(true)
  expect(parts.b).toEqual(asked ? { ok: true } : { skipped: true })
  expect(Object.keys((await response.json()) as object)).toEqual(asked ? ['a', 'b'] : ['a'])
  return asked
}

describe('a part with a condition', () => {
  test.each([
    { name: 'an exact text', holds: { 'headers.x-release': 'canary' }, fails: { 'headers.x-release': 'Canary' } },
    { name: 'a number, as text', holds: { 'query.n': 3 }, fails: { 'query.n': 3.5 } },
    { name: 'true or false', holds: { 'parts.a.body.ok': true }, fails: { 'parts.a.body.ok': false } },
    { name: 'one of several', holds: { 'parts.a.body.kind': ['cd', 'book'] }, fails: { 'parts.a.body.kind': ['cd'] } },
    { name: 'a member of a list', holds: { 'parts.a.body.tags': 'sale' }, fails: { 'parts.a.body.tags': 'old' } },
    { name: 'that there is a value', holds: { 'query.q': { exists: true } }, fails: { 'query.x': { exists: true } } },
    { name: 'that there is none', holds: { 'query.x': { exists: false } }, fails: { 'query.q': { exists: false } } },
    {
      name: 'that null is none',
      holds: { 'parts.a.body.none': { exists: false } },
      fails: { 'parts.a.body.none': { exists: true } },
    },
    { name: 'in', holds: { 'query.q': { in: ['yes', 'y'] } }, fails: { 'query.q': { in: ['no'] } } },
    { name: 'not', holds: { 'query.q': { not: 'no' } }, fails: { 'query.q': { not: ['no', 'yes'] } } },
    {
      name: 'not, of what is missing',
      holds: { 'query.x': { not: 'no' } },
      fails: { 'query.x': { not: 'no', exists: true } },
    },
    { name: 'above', holds: { 'parts.a.body.price': { above: 12 } }, fails: { 'parts.a.body.price': { above: 12.5 } } },
    { name: 'below', holds: { 'parts.a.body.price': { below: 13 } }, fails: { 'parts.a.body.price': { below: 12.5 } } },
    { name: 'at least', holds: { 'query.n': { 'at-least': 3 } }, fails: { 'query.n': { 'at-least': 4 } } },
    {
      name: 'at most, of a text',
      holds: { 'parts.a.body.stock': { 'at-most': 7 } },
      fails: { 'parts.a.body.stock': { 'at-most': 6 } },
    },
    { name: 'a range', holds: { 'query.n': { above: 2, below: 4 } }, fails: { 'query.n': { above: 3, below: 4 } } },
    { name: 'no number in what is none', holds: { 'query.q': 'yes' }, fails: { 'query.q': { 'at-most': 9 } } },
    {
      name: 'no claim without a caller',
      holds: { 'claims.role': { exists: false } },
      fails: { 'claims.role': 'admin' },
    },
    { name: 'all lines together', holds: { 'query.n': 3, 'query.q': 'yes' }, fails: { 'query.n': 3, 'query.q': 'no' } },
    {
      name: 'one of several mappings',
      holds: [{ 'query.n': 4 }, { 'query.q': 'yes' }],
      fails: [{ 'query.n': 4 }, { 'query.q': 'no' }],
    },
    {
      name: 'own properties only',
      holds: { 'parts.a.body.toString': { exists: false } },
      fails: { 'parts.a.body.constructor': { exists: true } },
    },
  ])('is asked or skipped by $name', async ({ holds, fails }) => {
    expect(await isAsked(holds)).toBe(true)
    expect(await isAsked(fails)).toBe(false)
  })

  test('reads the JSON body of the request', async () => {
    const init = { method: 'POST', body: '{"express":true}' }
    expect(await isAsked({ 'body.express': true }, init)).toBe(true)
    expect(await isAsked({ 'body.express': false }, init)).toBe(false)
  })

  test('waits for all its condition reads before it is worked out', async () => {
    const when = { 'parts.fast.body.x': 1, 'parts.slow.body.x': { exists: true } }
    const page = await openPage({ parts: { fast: {}, slow: {}, b: { when } }, answers: { b: {} } })
    const answer = page.fetch()
    await page.clock.advance(0)
    await page.answer('fast', { x: 1 })
    expect(page.asked).toEqual(['fast', 'slow'])
    await page.answer('slow', { x: 1 })
    expect(compositionOf(await answer).parts.b).toEqual({ ok: true })
  })

  test('is an empty document when nothing was to be asked', async () => {
    const page = await openPage({ parts: { a: { when: { 'query.x': '1' } } } })
    const response = await page.fetch()
    expect([response.status, await response.text()]).toEqual([200, '{}'])
    expect(response.headers.get('composition-status')).toBe('a;skipped')
    expect(compositionOf(response).complete).toBe(true)
  })

  test('may be required: it is when it is asked', async () => {
    const parts = { a: { when: { 'query.x': '1' }, required: true }, b: {} }
    const answers = { a: () => new Response(null, { status: 500 }), b: {} }
    const page = await openPage({ parts, answers })
    expect((await page.fetch()).status).toBe(200)
    expect((await page.fetch('/page/1?x=1')).status).toBe(502)
  })

  test('can ask another upstream when the first has failed', async () => {
    const parts = { first: {}, second: { when: { 'parts.first.status': { exists: false } } } }
    const page = await openPage({
      parts,
      answers: { first: () => new Response(null, { status: 503 }), second: { x: 2 } },
    })
    const response = await page.fetch()
    expect(await response.text()).toBe('{"second":{"x":2}}')
    expect(compositionOf(response).complete).toBe(false)
  })
})

describe('a part that reads a skipped one', () => {
  const skipped = { when: { 'query.x': '1' } }

  test('is skipped too, with those that read it', async () => {
    const parts = {
      a: skipped,
      b: { path: '/{parts.a.body.x}', required: true },
      c: { query: { y: '{parts.b.body.y}' } },
      d: {},
    }
    const page = await openPage({ parts, answers: { d: {} } })
    const response = await page.fetch()
    expect(response.headers.get('composition-status')).toBe('a;skipped, b;skipped, c;skipped, d;ok;dur=0')
    expect(compositionOf(response).complete).toBe(true)
    expect(page.asked).toEqual(['d'])
  })

  test('has failed when it reads a failed one as well, whichever is known first', async () => {
    for (const when of [{ 'query.x': '1' }, { 'parts.slow.body.x': 9 }]) {
      const parts = { a: { when }, f: {}, slow: {}, b: { path: '/{parts.a.body.x}/{parts.f.body.x}' } }
      const page = await openPage({ parts, answers: { slow: { x: 1 } } })
      const answer = page.fetch()
      await page.clock.advance(0)
      await page.answer('f', new Response(null, { status: 500 }))
      expect(compositionOf(await answer).parts).toMatchObject({
        a: { skipped: true },
        b: { failed: true, error: 'input' },
      })
    }
  })

  test('is asked when it reads it in its condition only', async () => {
    const parts = { a: skipped, b: { when: { 'parts.a.body.x': { exists: false } } } }
    const page = await openPage({ parts, answers: { b: {} } })
    expect(compositionOf(await page.fetch()).parts.b).toEqual({ ok: true })
  })

  test('is asked for no more when its condition comes to hold with the failure that decides the answer', async () => {
    const when = { 'parts.a.body.x': { exists: false } }
    const parts = { a: { required: true }, each: { 'for-each': '{body}', path: '/{item}', when } }
    const page = await openPage({ parts, answers: { a: () => new Response(null, { status: 500 }) } })
    for (const body of ['[]', '[1]']) {
      const response = await page.fetch('/page/1', { method: 'POST', body })
      expect(compositionOf(response).parts.each).toEqual({ failed: true, error: 'cancelled' })
    }
    expect(page.asked).toEqual(['a', 'a'])
  })

  test('is skipped by its own condition before its inputs matter, and does not wait for them', async () => {
    const parts = { a: {}, b: { when: { 'query.x': '1' }, path: '/{parts.a.body.x}' } }
    const page = await openPage({ parts })
    const answer = page.fetch()
    await page.clock.advance(0)
    await page.answer('a', new Response(null, { status: 500 }))
    expect(compositionOf(await answer).parts.b).toEqual({ skipped: true })
  })

  test('holds up nobody when its condition is known at once', async () => {
    const parts = { a: {}, b: { when: { 'query.x': '1' }, path: '/{parts.a.body.x}', required: true }, c: {} }
    const page = await openPage({ parts, settings: { 'wait-for-optional': '50ms' }, answers: { c: {} } })
    const answer = page.fetch()
    await page.clock.advance(50)
    expect(compositionOf(await answer).parts).toEqual({
      a: { failed: true, error: 'late' },
      b: { skipped: true },
      c: { ok: true },
    })
  })

  test('is counted once with the others when it is skipped as the last of them', async () => {
    const parts = { a: {}, b: { when: { 'parts.a.body.kind': 'cd' } }, c: { path: '/{parts.b.body.id}' } }
    const page = await openPage({ parts, answers: { a: A } })
    await page.fetch()
    for (const [part, outcome] of Object.entries({ a: 'ok', b: 'skipped', c: 'skipped' })) {
      expect(page.metric('sluice_parts_total', { part, outcome })).toBe(1)
    }
  })
})
