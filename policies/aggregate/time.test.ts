import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { ClientGone } from '../../gateway/core/errors.ts'
import { definePolicy } from '../../gateway/core/policy.ts'
import { compositionOf, JSON_TYPE, openBody, openPage, PRODUCT_PAGE } from './test-page.ts'

/** A layer below that neither passes the signal on nor looks at it. */
const deaf = definePolicy({
  name: 'deaf',
  at: 'upstream',
  options: z.strictObject({}),
  create: () => (_call, next) => next({ signal: new AbortController().signal }),
})

function watch(work: Promise<Response>) {
  const watched = { work, settled: false }
  const settle = () => {
    watched.settled = true
  }
  work.then(settle, settle)
  return watched
}

describe('the time of an aggregate', () => {
  test('bounds a part by its own timeout and cancels its call', async () => {
    const page = await openPage({
      config: PRODUCT_PAGE,
      answers: { catalog: { sku: 'A' }, inventory: { available: 1 }, promotions: [] },
    })
    const answer = watch(page.fetch('/products/1'))
    await page.clock.advance(399)
    expect(answer.settled).toBe(false)
    expect(page.requestTo('pricing').signal.aborted).toBe(false)
    await page.clock.advance(1)
    expect(answer.settled).toBe(true)
    const response = await answer.work
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({ product: { sku: 'A' }, stock: { available: 1 }, promotions: [] })
    expect(compositionOf(response).parts.price).toEqual({ failed: true, error: 'timeout' })
    expect(page.requestTo('pricing').signal.aborted).toBe(true)
  })

  test('runs once for all calls of a list, from the first of them', async () => {
    const each = { 'for-each': { items: '{body}', concurrency: 1 }, path: '/{item}', timeout: '1s' }
    const page = await openPage({ parts: { each, b: {} }, answers: { b: {} } })
    const answer = watch(page.fetch('/page/1', { method: 'POST', body: '[1,2]' }))
    await page.clock.advance(600)
    await page.answer('each', 1)
    expect(page.urlsOf('each')).toHaveLength(2)
    await page.clock.advance(399)
    expect(answer.settled).toBe(false)
    await page.clock.advance(1)
    expect(answer.settled).toBe(true)
    expect(compositionOf(await answer.work).parts.each).toEqual({ failed: true, error: 'timeout' })
  })

  test('bounds all parts by the total, those that wait for them too', async () => {
    const page = await openPage({
      parts: { a: {}, b: { fallback: 1 }, c: { path: '/c/{parts.b.body}' }, d: { path: '/d/{parts.a.body.x}' }, e: {} },
      settings: { timeout: '1s' },
      answers: { e: {} },
    })
    const answer = watch(page.fetch())
    await page.clock.advance(999)
    expect(answer.settled).toBe(false)
    await page.clock.advance(1)
    const response = await answer.work
    expect(await response.text()).toBe('{"b":1,"e":{}}')
    expect(compositionOf(response).parts).toEqual({
      a: { failed: true, error: 'timeout' },
      b: { fallback: true, error: 'timeout' },
      // What it reads is there, but no time is left.
      c: { failed: true, error: 'timeout' },
      d: { failed: true, error: 'input' },
      e: { ok: true },
    })
    expect(page.records[0]?.calls).toMatchObject([{ part: 'a' }, { part: 'b' }, { part: 'e' }])
    for (const upstream of ['a', 'b']) expect(page.requestTo(upstream).signal.aborted).toBe(true)
  })

  test.each([
    { name: 'its own timeout', part: { timeout: '50ms' }, settings: {} },
    { name: 'the total', part: {}, settings: { timeout: '50ms' } },
  ])('answers 504 when a required part exceeds $name', async ({ part, settings }) => {
    const page = await openPage({ parts: { a: { required: true, ...part }, b: {} }, settings, answers: { b: {} } })
    const answer = page.fetch()
    await page.clock.advance(50)
    const response = await answer
    expect(response.status).toBe(504)
    expect(await response.json()).toMatchObject({
      type: 'urn:sluice:problem:upstream-timeout',
      parts: [{ name: 'a', error: 'timeout' }],
    })
  })

  test('answers 504 when a required part waits for one that exceeds the total', async () => {
    const page = await openPage({
      parts: { a: {}, b: { path: '/{parts.a.body.x}', required: true } },
      settings: { timeout: '50ms' },
    })
    const answer = page.fetch()
    await page.clock.advance(50)
    expect((await answer).status).toBe(504)
  })

  test('answers 504 when no part came in time', async () => {
    const page = await openPage({ parts: { a: {}, b: {} }, settings: { timeout: '50ms' } })
    const answer = page.fetch()
    await page.clock.advance(50)
    expect((await answer).status).toBe(504)
  })

  test.each([
    { name: 'when it has no timeout', settings: {} },
    { name: 'when its timeout is all that is left', settings: { timeout: '1900ms' } },
  ])('keeps some of the route’s time to answer in $name', async ({ settings }) => {
    const page = await openPage({ parts: { a: {}, b: {} }, settings, route: { timeout: '2s' }, answers: { a: {} } })
    const answer = watch(page.fetch())
    await page.clock.advance(1_899)
    expect(answer.settled).toBe(false)
    await page.clock.advance(1)
    const response = await answer.work
    expect(response.status).toBe(200)
    expect(await response.text()).toBe('{"a":{}}')
  })

  test('bounds the body of a reply, not only its head', async () => {
    const { stream, state } = openBody('{"x":')
    const page = await openPage({
      parts: { a: { timeout: '100ms' }, b: {} },
      answers: { a: () => new Response(stream, { headers: JSON_TYPE }), b: {} },
    })
    const answer = watch(page.fetch())
    await page.clock.advance(99)
    expect(answer.settled).toBe(false)
    await page.clock.advance(1)
    expect(compositionOf(await answer.work).parts.a).toEqual({ failed: true, error: 'timeout' })
    await page.clock.advance(0)
    expect(state.cancelled).toBe(true)
  })

  test('does not wait for an upstream that ignores the end, and drops what it brings too late', async () => {
    let respond = (_: Response) => {}
    const late = new Promise<Response>((resolve) => {
      respond = resolve
    })
    const page = await openPage({
      parts: { a: {}, b: {} },
      settings: { timeout: '1s' },
      upstreamPolicies: ['deaf'],
      register: [deaf],
      answers: { a: () => late, b: {} },
    })
    const answer = watch(page.fetch())
    await page.clock.advance(1_000)
    expect(answer.settled).toBe(true)
    expect((await answer.work).status).toBe(200)
    const { stream, state } = openBody()
    respond(new Response(stream, { headers: JSON_TYPE }))
    await page.clock.advance(0)
    expect(state.cancelled).toBe(true)
  })
})

describe('an aggregate that is decided', () => {
  test('cancels what still runs when a required part fails, and starts nothing more', async () => {
    const { stream, state } = openBody('[')
    const page = await openPage({
      parts: {
        a: { required: true },
        running: { fallback: 1, timeout: '5s' },
        reading: {},
        waiting: { path: '/{parts.running.body.x}' },
        done: {},
      },
      answers: { done: {}, reading: () => new Response(stream, { headers: JSON_TYPE }) },
    })
    const answer = page.fetch()
    await page.clock.advance(5)
    await page.answer('a', new Response(null, { status: 500 }))
    const response = await answer
    expect(response.status).toBe(502)
    expect(compositionOf(response).parts).toEqual({
      a: { failed: true, error: 'status', status: 500 },
      running: { failed: true, error: 'cancelled' },
      reading: { failed: true, error: 'cancelled' },
      waiting: { failed: true, error: 'cancelled' },
      done: { ok: true },
    })
    expect(await response.json()).toMatchObject({ parts: [{ name: 'a', error: 'status', status: 500 }] })
    expect(page.requestTo('running').signal.aborted).toBe(true)
    expect(state.cancelled).toBe(true)
    expect(page.asked).toEqual(['a', 'running', 'reading', 'done'])
  })

  test('says of a part that waited what it lacked, not that it was given up, when something else had failed before', async () => {
    const page = await openPage({
      parts: {
        b: { path: '/{parts.running.body.x}/{parts.a.body.x}', when: { 'parts.gate.body.x': { exists: false } } },
        running: {},
        gate: {},
        a: {},
        c: { required: true },
      },
    })
    const answer = page.fetch()
    await page.clock.advance(0)
    await page.answer('a', new Response(null, { status: 404 }))
    await page.answer('c', new Response(null, { status: 500 }))
    const { parts } = compositionOf(await answer)
    expect([parts.running, parts.b]).toEqual([
      { failed: true, error: 'cancelled' },
      { failed: true, error: 'input' },
    ])
  })

  test('names the part that failed, not a required one that waited for it', async () => {
    const page = await openPage({
      parts: { b: { path: '/{parts.a.body.x}', required: true }, a: { required: true } },
      answers: { a: () => new Response(null, { status: 500 }) },
    })
    const response = await page.fetch()
    expect(await response.json()).toMatchObject({ detail: 'The part "a" failed: its upstream answered 500' })
  })

  test.each([
    { name: 'without policies', upstreamPolicies: [] },
    {
      name: 'with several around each',
      upstreamPolicies: [{ retry: { attempts: 2 } }, { 'circuit-breaker': {} }, { timeout: { after: '9s' } }],
    },
  ])('has ended the calls it gave up when its log line is written, $name', async ({ upstreamPolicies }) => {
    const lines: string[] = []
    const write = (_: string, facts?: object) => void lines.push(JSON.stringify(facts))
    const page = await openPage({
      parts: { a: { required: true }, b: {}, c: {} },
      upstreamPolicies,
      services: { log: { info: write, warn: write, error: write } },
    })
    const answer = page.fetch()
    await page.clock.advance(30)
    await page.answer('a', new Response(null, { status: 404 }))
    expect((await answer).status).toBe(502)
    expect(lines.map((line) => JSON.parse(line).calls)).toEqual([
      [
        expect.objectContaining({ part: 'a', status: 404, durationMs: 30 }),
        expect.objectContaining({ part: 'b', failure: 'aborted', durationMs: 30 }),
        expect.objectContaining({ part: 'c', failure: 'aborted', durationMs: 30 }),
      ],
    ])
  })

  test('leaves no appointment behind', async () => {
    const open = new Set<object>()
    const page = await openPage({
      parts: { a: { timeout: '1s', required: true }, b: {}, c: { timeout: '2s' } },
      settings: { timeout: '3s', 'wait-for-optional': '2s' },
      services: {
        clock: {
          now: () => 0,
          monotonic: () => 0,
          after() {
            const appointment = {}
            open.add(appointment)
            return () => void open.delete(appointment)
          },
        },
      },
      answers: { a: {}, b: {}, c: () => new Response(null, { status: 500 }) },
    })
    expect((await page.fetch()).status).toBe(200)
    expect(open.size).toBe(0)
  })

  test('lets the first required part that fails decide', async () => {
    const page = await openPage({ parts: { a: { required: true }, b: { required: true } } })
    const answer = page.fetch()
    await page.clock.advance(0)
    await page.answer('b', new Response(null, { status: 418 }))
    expect(await (await answer).json()).toMatchObject({ parts: [{ name: 'b', error: 'status', status: 418 }] })
  })

  test('aborts every call when the client leaves, and blames nobody', async () => {
    const seen: unknown[] = []
    const witness = definePolicy({
      name: 'witness',
      at: 'upstream',
      options: z.strictObject({}),
      create: () => (_call, next) =>
        next().catch((error: unknown) => {
          seen.push(error)
          throw error
        }),
    })
    const around = definePolicy({
      name: 'around',
      at: 'route',
      options: z.strictObject({}),
      create: () => async (_exchange, next) => {
        const response = await next()
        seen.push(response.status)
        return response
      },
    })
    const client = new AbortController()
    const parts = {
      a: { upstream: 'a', path: '/a', required: true },
      b: { upstream: 'b', path: '/b', fallback: 1 },
      c: { upstream: 'a', path: '/{parts.b.body}' },
    }
    const page = await openPage({
      parts,
      route: { policies: ['around', { aggregate: { parts } }] },
      upstreamPolicies: ['witness'],
      register: [witness, around],
    })
    const answer = page.fetch('/page/1', {}, { ip: '192.0.2.1', gone: client.signal })
    await page.clock.advance(10)
    client.abort()
    expect((await answer).status).toBe(499)
    await page.clock.advance(0)
    expect(seen).toEqual([expect.any(ClientGone), expect.any(ClientGone), 499])
    expect(page.asked).toEqual(['a', 'b'])
    for (const upstream of ['a', 'b']) expect(page.requestTo(upstream).signal.aborted).toBe(true)
    expect(page.records[0]).toMatchObject({
      failure: 'client-gone',
      policies: {
        aggregate: { failed: ['a', 'b', 'c'].map((part) => ({ part, outcome: 'failed', error: 'cancelled' })) },
      },
    })
    expect(page.metric('sluice_parts_total')).toBe(0)
  })

  test('asks nobody for a client that has left before', async () => {
    const client = new AbortController()
    const leaving = definePolicy({
      name: 'leaving',
      at: 'route',
      options: z.strictObject({}),
      create: () => (_exchange, next) => {
        client.abort()
        return next()
      },
    })
    const parts = { a: { upstream: 'a', path: '/a' } }
    const page = await openPage({
      parts,
      route: { policies: ['leaving', { aggregate: { parts } }] },
      register: [leaving],
      answers: { a: {} },
    })
    expect((await page.fetch('/page/1', {}, { ip: '192.0.2.1', gone: client.signal })).status).toBe(499)
    expect(page.asked).toEqual([])
  })
})
