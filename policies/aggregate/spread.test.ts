import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { compositionOf, openPage } from './test-page.ts'

const SPREAD = { spread: true }

describe('spread', () => {
  test('puts the members of a reply in the place of the part', async () => {
    const page = await openPage({
      parts: { a: {}, b: SPREAD, c: {} },
      answers: { a: 1, b: { x: 2, y: 3 }, c: 4 },
    })
    expect(await (await page.fetch()).text()).toBe('{"a":1,"x":2,"y":3,"c":4}')
  })

  test('puts nothing for null, and the members of a fallback for a failure', async () => {
    const page = await openPage({
      parts: { a: {}, b: SPREAD, c: { ...SPREAD, fallback: { x: 0 } } },
      answers: { a: 1, b: () => Response.json(null), c: () => new Response(null, { status: 500 }) },
    })
    expect(await (await page.fetch()).text()).toBe('{"a":1,"x":0}')
  })

  test('fails the later part in the file when two bring one name', async () => {
    const page = await openPage({
      parts: { a: SPREAD, b: SPREAD, c: {} },
      answers: { a: { x: 1 }, b: { y: 2, x: 3 }, c: 4 },
    })
    const response = await page.fetch()
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(await response.text()).toBe('{"x":1,"c":4}')
    expect(compositionOf(response)).toEqual({
      complete: false,
      parts: { a: { ok: true }, b: { failed: true, error: 'conflict' }, c: { ok: true } },
    })
    expect(page.records[0]).toMatchObject({
      policies: { aggregate: { failed: [{ part: 'b', error: 'conflict', cause: 'the part "a" has "x" too' }] } },
    })
    expect(page.metric('sluice_parts_total', { part: 'b', outcome: 'failed' })).toBe(1)
  })

  test.each([
    { name: 'x', whose: 'the part "x"' },
    { name: 'g', whose: 'the group "g"' },
    { name: 's', whose: '"static"' },
  ])('says in the log that $whose has the name too', async ({ name, whose }) => {
    const page = await openPage({
      parts: { a: SPREAD, x: {}, y: { group: 'g' } },
      settings: { static: { incomplete: { s: 1 } } },
      answers: { a: { [name]: 1 }, x: 2, y: 3 },
    })
    await page.fetch()
    expect(page.records[0]).toMatchObject({
      policies: { aggregate: { failed: [{ part: 'a', error: 'conflict', cause: `${whose} has "${name}" too` }] } },
    })
  })

  test('fails the part that brings the name of another, wherever that stands and whatever became of it', async () => {
    const page = await openPage({
      parts: { a: { ...SPREAD, fallback: { ok: 1 } }, c: {}, d: {} },
      answers: { a: { c: 1 }, c: () => new Response(null, { status: 500 }), d: 1 },
    })
    const response = await page.fetch()
    expect(await response.text()).toBe('{"ok":1,"d":1}')
    expect(compositionOf(response).parts.a).toEqual({ fallback: true, error: 'conflict' })
  })

  test('answers 502 when a required part collides', async () => {
    const page = await openPage({
      parts: { a: SPREAD, b: { ...SPREAD, required: true } },
      answers: { a: { x: 1 }, b: { x: 2 } },
    })
    const response = await page.fetch()
    expect(response.status).toBe(502)
    expect(await response.json()).toMatchObject({ parts: [{ name: 'b', error: 'conflict' }] })
  })

  test('leaves a stand-in out that collides as well', async () => {
    const page = await openPage({
      parts: { a: SPREAD, b: { ...SPREAD, fallback: { y: 0 } } },
      answers: { a: { x: 1, y: 1 }, b: { x: 2 } },
    })
    const response = await page.fetch()
    expect(await response.text()).toBe('{"x":1,"y":1}')
    expect(compositionOf(response).parts.b).toEqual({ failed: true, error: 'conflict' })
  })

  test.each([
    { onConflict: 'first', expected: '{"x":1,"a":2,"only":3,"v":4}' },
    { onConflict: 'last', expected: '{"x":3,"a":2,"only":3,"v":5}' },
  ])('lets the $onConflict in the file count when told so', async ({ onConflict, expected }) => {
    const page = await openPage({
      parts: { s: SPREAD, a: {}, t: SPREAD },
      settings: { 'on-conflict': onConflict, static: { always: { v: 5 } } },
      answers: { s: { x: 1 }, a: 2, t: { x: 3, only: 3, v: 4 } },
    })
    expect(await (await page.fetch()).text()).toBe(expected)
  })

  test('comes to the same whoever replies first, a hundred times', async () => {
    const replies = { p0: { x: 0, a: 0 }, p1: { x: 1, b: 1 }, p2: { x: 2, a: 2 }, p3: { c: 3, b: 3 } }
    const expected = {
      error: '{"x":0,"a":0,"c":3,"b":3}',
      first: '{"x":0,"a":0,"b":1,"c":3}',
      last: '{"x":2,"a":2,"b":3,"c":3}',
    } as const
    const orders = fc.shuffledSubarray(['p0', 'p1', 'p2', 'p3'] as const, { minLength: 4 })
    await fc.assert(
      fc.asyncProperty(orders, fc.constantFrom('error', 'first', 'last'), async (order, onConflict) => {
        const page = await openPage({
          parts: { p0: SPREAD, p1: SPREAD, p2: SPREAD, p3: SPREAD },
          settings: { 'on-conflict': onConflict },
        })
        const answer = page.fetch()
        await page.clock.advance(0)
        for (const part of order) await page.answer(part, replies[part])
        expect(await (await answer).text()).toBe(expected[onConflict])
      }),
      { numRuns: 100 },
    )
  })
})
