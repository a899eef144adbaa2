import { describe, expect, test } from 'bun:test'
import { compositionOf, openPage } from './test-page.ts'

const names = (count: number) => Array.from({ length: count }, (_, i) => `p${i}`)
const partsNamed = (all: readonly string[]) => Object.fromEntries(all.map((name) => [name, {}]))

describe('the fan-out of an aggregate', () => {
  test.each([
    { name: '16 calls without further words', parts: 20, settings: {}, openCalls: Number.POSITIVE_INFINITY, open: 16 },
    { name: 'what it says', parts: 5, settings: { concurrency: 2 }, openCalls: Number.POSITIVE_INFINITY, open: 2 },
    { name: 'what the runtime allows', parts: 8, settings: { concurrency: 16 }, openCalls: 6, open: 6 },
  ])('is bounded by $name', async ({ parts, settings, openCalls, open }) => {
    const all = names(parts)
    const page = await openPage({ parts: partsNamed(all), settings, services: { openCalls } })
    const answer = page.fetch()
    await page.clock.advance(0)
    for (let answered = 0; answered < parts; answered++) {
      expect(page.asked).toHaveLength(Math.min(parts, open + answered))
      await page.answer(all[answered] ?? '', {})
    }
    expect(compositionOf(await answer).complete).toBe(true)
  })

  test('lets go first what a required part needs, then the longest chain, then the order of the file', async () => {
    const parts = {
      alone: {},
      root: {},
      middle: { path: '/{parts.root.body.x}' },
      last: { path: '/{parts.middle.body.x}' },
      needed: {},
      page: { path: '/{parts.needed.body.x}', required: true },
    }
    const page = await openPage({ parts, settings: { concurrency: 1 } })
    const answer = page.fetch()
    await page.clock.advance(0)
    while (page.waiting.length > 0) {
      expect(page.waiting).toHaveLength(1)
      await page.answer(page.waiting[0] ?? '', { x: 1 })
    }
    expect((await answer).status).toBe(200)
    expect(page.asked).toEqual(['needed', 'page', 'root', 'middle', 'alone', 'last'])
  })

  test('gives the place of a call to what has become ready by it, where that is more urgent', async () => {
    const parts = { a: {}, b: { path: '/{parts.a.body.x}', required: true }, c: {} }
    const page = await openPage({ parts, settings: { concurrency: 1 } })
    const answer = page.fetch()
    await page.clock.advance(0)
    for (const name of ['a', 'b', 'c']) await page.answer(name, { x: 1 })
    await answer
    expect(page.asked).toEqual(['a', 'b', 'c'])
  })

  test('gives no place of a list whose time is up away before what waited for the whole list competes for it', async () => {
    const parts = {
      items: {},
      list: {
        'for-each': { items: '{parts.items.body.of}', fallback: 0 },
        path: '/{item}',
        timeout: '100ms',
        fallback: [],
      },
      next: { path: '/', query: { of: '{parts.list.body}' } },
      idle: { path: '/{parts.items.body.x}' },
    }
    const page = await openPage({ parts, settings: { concurrency: 2 } })
    const answer = page.fetch()
    await page.clock.advance(0)
    await page.answer('items', { of: [1, 2], x: 1 })
    await page.clock.advance(100)
    for (const name of ['next', 'idle']) await page.answer(name, {})
    await answer
    expect(page.asked).toEqual(['items', 'list', 'list', 'next', 'idle'])
  })

  test.each([
    { name: 'a remembered reply', first: { cache: '1m' }, exists: true, primed: ['first'] },
    { name: 'a skipped part', first: { when: { 'query.x': '1' } }, exists: false, primed: [] },
  ])('gives no place to what $name makes ready at once, where another is more urgent', async (row) => {
    const { first, exists, primed } = row
    const parts = { urgent: {}, next: { when: { 'parts.first.body.v': { exists } } }, first }
    const answers = { urgent: {}, next: {}, first: { v: 1 } }
    const page = await openPage({ parts, settings: { concurrency: 1 }, answers })
    await page.fetch()
    await page.fetch()
    expect(page.asked).toEqual([...primed, 'urgent', 'next', 'urgent', 'next'])
  })

  test('ends at once for those that wait for a place when a required part fails', async () => {
    const parts = { a: { required: true }, b: {}, c: {} }
    const page = await openPage({ parts, settings: { concurrency: 2 } })
    const answer = page.fetch()
    await page.clock.advance(0)
    await page.answer('a', new Response(null, { status: 500 }))
    expect(compositionOf(await answer).parts.c).toEqual({ failed: true, error: 'cancelled' })
    expect(page.asked).toEqual(['a', 'b'])
  })

  test('ends in time for those that wait for a place', async () => {
    const parts = { a: {}, b: { fallback: 1 } }
    const page = await openPage({ parts, settings: { concurrency: 1, timeout: '1s' } })
    const answer = page.fetch()
    await page.clock.advance(1_000)
    const response = await answer
    expect(response.status).toBe(504)
    expect(compositionOf(response).parts).toEqual({
      a: { failed: true, error: 'timeout' },
      b: { fallback: true, error: 'timeout' },
    })
    expect(page.asked).toEqual(['a'])
  })

  test('ends in time for items of a list that wait for a place others hold', async () => {
    const each = { 'for-each': '{body}', path: '/{item}', timeout: '100ms', fallback: [] }
    const page = await openPage({ parts: { slow: { required: true }, each }, settings: { concurrency: 2 } })
    const answer = page.fetch('/page/1', { method: 'POST', body: '[1,2,3]' })
    await page.clock.advance(100)
    await page.answer('slow', {})
    expect(compositionOf(await answer).parts).toEqual({
      slow: { ok: true },
      each: { fallback: true, error: 'timeout' },
    })
    expect(page.asked).toEqual(['slow', 'each'])
  })

  test('counts the time of a part from its call, not from the queue', async () => {
    const page = await openPage({ parts: { a: {}, b: { timeout: '100ms' } }, settings: { concurrency: 1 } })
    const answer = page.fetch()
    await page.clock.advance(150)
    await page.answer('a', {})
    await page.clock.advance(99)
    await page.answer('b', {})
    expect(compositionOf(await answer).complete).toBe(true)
  })
})

describe('optional parts', () => {
  const settings = { 'wait-for-optional': '200ms', timeout: '5s' }

  test('are given up so long after the last required one', async () => {
    const parts = {
      a: { required: true },
      b: { required: true },
      late: {},
      replaced: { fallback: 1 },
      unread: { path: '/{parts.late.body.x}' },
      fast: {},
    }
    const page = await openPage({ parts, settings, answers: { a: {}, fast: {} } })
    let settled = false
    const answer = page.fetch().finally(() => {
      settled = true
    })
    await page.clock.advance(1_000)
    await page.answer('b', {})
    await page.clock.advance(199)
    expect(settled).toBe(false)
    await page.clock.advance(1)
    expect(settled).toBe(true)
    const response = await answer
    expect(response.status).toBe(200)
    expect(await response.text()).toBe('{"a":{},"b":{},"replaced":1,"fast":{}}')
    expect(compositionOf(response).parts).toEqual({
      a: { ok: true },
      b: { ok: true },
      late: { failed: true, error: 'late' },
      replaced: { fallback: true, error: 'late' },
      unread: { failed: true, error: 'input' },
      fast: { ok: true },
    })
    for (const upstream of ['late', 'replaced']) expect(page.requestTo(upstream).signal.aborted).toBe(true)
  })

  test('are given up so long after the start when none is required', async () => {
    const fromStart = { 'wait-for-optional': '200ms' }
    const page = await openPage({ parts: { a: {}, b: {} }, settings: fromStart, answers: { a: {} } })
    const answer = page.fetch()
    await page.clock.advance(200)
    expect(compositionOf(await answer).parts.b).toEqual({ failed: true, error: 'late' })
  })

  test('do not hold up an answer that has them', async () => {
    const page = await openPage({ parts: { a: { required: true }, b: {} }, settings, answers: { a: {}, b: {} } })
    expect(compositionOf(await page.fetch()).complete).toBe(true)
  })

  test('do not cut the time of required ones', async () => {
    const page = await openPage({ parts: { a: { required: true }, b: {} }, settings, answers: { b: {} } })
    const answer = page.fetch()
    await page.clock.advance(4_000)
    await page.answer('a', {})
    expect(compositionOf(await answer).complete).toBe(true)
  })
})
