import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { definePolicy } from '../../gateway/core/policy.ts'
import { compositionOf, JSON_TYPE, openBody, openPage, type PageOptions } from './test-page.ts'

const NDJSON = { headers: { accept: 'application/x-ndjson' } }
const EVENTS = { headers: { accept: 'text/event-stream' } }

const openStream = ({ settings = {}, ...options }: PageOptions) =>
  openPage({ ...options, settings: { stream: true, ...settings } })

/** Reads a stream piece by piece. */
function readerOf(response: Response) {
  const reader = response.body?.getReader()
  if (!reader) throw new Error('There is no body')
  return {
    /** The next piece as text; undefined at the end. */
    async next(): Promise<string | undefined> {
      const { done, value } = await reader.read()
      return done ? undefined : new TextDecoder().decode(value)
    },
    leave: () => reader.cancel(),
  }
}

const linesOf = async (response: Response) =>
  (await response.text())
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

const failing = (status: number) => () => new Response(null, { status })

describe('a streamed answer', () => {
  test('sends each part as it comes, and at last what became of all', async () => {
    const page = await openStream({ parts: { slow: {}, quick: {}, next: { path: '/{parts.quick.body.n}' } } })
    const asking = page.fetch('/page/1', NDJSON)
    await page.clock.advance(30)
    await page.answer('quick', { n: 7 })
    const response = await asking
    expect(response.status).toBe(200)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/x-ndjson',
      'cache-control': 'no-store',
      vary: 'accept',
    })
    for (const name of ['etag', 'content-length', 'composition-status', 'composition-complete'])
      expect(response.headers.has(name)).toBe(false)
    const reader = readerOf(response)
    expect(await reader.next()).toBe('{"part":"quick","outcome":"ok","dur":30,"status":200,"body":{"n":7}}\n')
    await page.answer('next', Response.json([], { status: 203 }))
    expect(await reader.next()).toBe('{"part":"next","outcome":"ok","dur":0,"status":203,"body":[]}\n')
    await page.clock.advance(20)
    await page.answer('slow', new Error('refused'))
    expect(await reader.next()).toBe('{"part":"slow","outcome":"failed","error":"unreachable"}\n')
    expect(await reader.next()).toBe(
      '{"complete":false,"parts":[{"part":"slow","outcome":"failed","error":"unreachable"},' +
        '{"part":"quick","outcome":"ok","dur":30,"status":200},{"part":"next","outcome":"ok","dur":0,"status":203}]}\n',
    )
    expect(await reader.next()).toBeUndefined()
  })

  test('sends server-sent events to those who ask for them', async () => {
    const page = await openStream({ parts: { a: {}, b: {} }, answers: { a: 1 } })
    const response = await page.fetch('/page/1', EVENTS)
    await page.answer('b', new Response(null, { status: 500 }))
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    expect(await response.text()).toBe(
      'event: part\nid: 1\ndata: {"part":"a","outcome":"ok","dur":0,"status":200,"body":1}\n\n' +
        'event: part\nid: 2\ndata: {"part":"b","outcome":"failed","error":"status","status":500}\n\n' +
        'event: end\nid: end\ndata: {"complete":false,"parts":[{"part":"a","outcome":"ok","dur":0,"status":200},' +
        '{"part":"b","outcome":"failed","error":"status","status":500}]}\n\n',
    )
  })

  test('gives a sign of life in silence, where the format has one', async () => {
    const options = { parts: { a: {}, b: {} }, answers: { a: 1 }, route: { timeout: '1m' } }
    const [events, lines] = [await openStream(options), await openStream(options)]
    const reader = readerOf(await events.fetch('/page/1', EVENTS))
    expect(await reader.next()).toContain('"part":"a"')
    const silence = reader.next()
    await events.clock.advance(14_999)
    expect(await Promise.race([silence, Promise.resolve('nothing')])).toBe('nothing')
    await events.clock.advance(1)
    expect(await silence).toBe(':\n\n')
    // Nobody reads: signs do not pile up.
    await events.clock.advance(40_000)
    await events.answer('b', 2)
    expect(await reader.next()).toContain('"part":"b"')
    expect(await reader.next()).toContain('event: end')
    expect(await reader.next()).toBeUndefined()

    const quiet = lines.fetch('/page/1', NDJSON)
    const text = quiet.then((response) => response.text())
    await lines.clock.advance(45_000)
    await lines.answer('b', 2)
    expect((await text).split('\n').map((line) => line.slice(0, 10))).toEqual([
      '{"part":"a',
      '{"part":"b',
      '{"complete',
      '',
    ])
  })

  test('tells a client of events that has everything to ask no more, and asks nobody', async () => {
    const page = await openStream({ parts: { a: {} }, answers: { a: 1 } })
    const again = (id: string) => page.fetch('/page/1', { headers: { ...EVENTS.headers, 'last-event-id': id } })
    expect((await again('end')).status).toBe(204)
    expect(page.asked).toEqual([])
    expect((await again('1')).status).toBe(200)
    expect(page.asked).toEqual(['a'])
  })

  test('keeps every digit, and each part on one line', async () => {
    const page = await openStream({
      parts: { a: {} },
      answers: { a: () => new Response('{\r\n "id": 12345678901234567890,\n "t": "a\\nb" }', { headers: JSON_TYPE }) },
    })
    const text = await (await page.fetch('/page/1', NDJSON)).text()
    expect(text.split('\n')[0]).toBe(
      '{"part":"a","outcome":"ok","dur":0,"status":200,"body":{   "id": 12345678901234567890,  "t": "a\\nb" }}',
    )
  })

  test('sends parts in their shape, fallbacks as they are written, and hidden ones not at all', async () => {
    const page = await openStream({
      parts: {
        a: { pick: ['n'] },
        b: { fallback: { n: 0 } },
        c: { hidden: true, required: true },
        d: { when: { 'query.d': 1 } },
      },
      answers: { a: { n: 1, x: 2 }, b: failing(500), c: {} },
    })
    const [d, ...lines] = await linesOf(await page.fetch('/page/1', NDJSON))
    expect(d).toEqual({ part: 'd', outcome: 'skipped' })
    expect(lines).toHaveLength(3)
    expect(lines).toContainEqual({ part: 'a', outcome: 'ok', dur: 0, status: 200, body: { n: 1 } })
    expect(lines).toContainEqual({ part: 'b', outcome: 'fallback', error: 'status', status: 500, body: { n: 0 } })
    expect(lines.at(-1)).toMatchObject({ complete: false })
    expect(lines.at(-1)?.parts).toMatchObject([{ part: 'a' }, { part: 'b' }, { part: 'c' }, { part: 'd' }])
  })

  test('tells the age of what was remembered', async () => {
    const page = await openStream({ parts: { a: { cache: '1m' } }, answers: { a: 1 } })
    await page.fetch()
    await page.clock.advance(9_500)
    const [line] = await linesOf(await page.fetch('/page/1', NDJSON))
    expect(line).toEqual({ part: 'a', outcome: 'ok', dur: 0, age: 9, status: 200, body: 1 })
  })

  test('is complete when nothing is missing', async () => {
    const page = await openStream({ parts: { a: {}, b: { when: { 'query.b': 1 } } }, answers: { a: 1 } })
    expect((await linesOf(await page.fetch('/page/1', NDJSON))).at(-1)).toMatchObject({ complete: true })
  })
})

describe('a streamed answer that fails', () => {
  test('ends with the problem when a required part fails after the first byte', async () => {
    const page = await openStream({ parts: { a: {}, b: { required: true }, c: {} } })
    const asking = page.fetch('/page/1', NDJSON)
    await page.clock.advance(0)
    await page.answer('a', { n: 1 })
    const response = await asking
    const reading = linesOf(response)
    await page.answer('b', new Response(null, { status: 404 }))
    expect((await reading).slice(1)).toEqual([
      { part: 'b', outcome: 'failed', error: 'status', status: 404 },
      { part: 'c', outcome: 'failed', error: 'cancelled' },
      {
        complete: false,
        parts: [
          { part: 'a', outcome: 'ok', dur: 0, status: 200 },
          { part: 'b', outcome: 'failed', error: 'status', status: 404 },
          { part: 'c', outcome: 'failed', error: 'cancelled' },
        ],
        problem: {
          type: 'urn:sluice:problem:upstream-invalid-response',
          title: 'The upstream sent no valid response',
          status: 502,
          detail: 'The part "b" failed: its upstream answered 404',
          instance: 'id-1',
        },
      },
    ])
    expect(page.requestTo('c').signal.aborted).toBe(true)
  })

  test('is an ordinary problem when that is decided before the first byte', async () => {
    const page = await openStream({
      parts: { a: {}, b: { required: true } },
      answers: { b: () => new Response(null, { status: 404 }) },
    })
    const response = await page.fetch('/page/1', NDJSON)
    expect(response.status).toBe(502)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(compositionOf(response).parts.a).toEqual({ failed: true, error: 'cancelled' })
    const none = await openStream({ parts: { a: {}, b: {} }, answers: { a: failing(500), b: failing(503) } })
    expect((await none.fetch('/page/1', EVENTS)).status).toBe(502)
  })

  test('says that it is not whole when the gateway breaks on the way', async () => {
    const buggy = definePolicy({
      name: 'buggy',
      at: 'upstream',
      options: z.strictObject({}),
      create: () => (call, next) => {
        if (call.upstream === 'b') throw new TypeError('undefined is not a function')
        return next()
      },
    })
    const parts = { a: {}, slow: {}, b: { path: '/{parts.slow.body.n}' } }
    const page = await openStream({ parts, upstreamPolicies: ['buggy'], register: [buggy], answers: { a: 1 } })
    const reading = linesOf(await page.fetch('/page/1', NDJSON))
    await page.answer('slow', { n: 1 })
    expect((await reading).at(-1)).toMatchObject({
      complete: false,
      problem: { type: 'urn:sluice:problem:internal-error', status: 500 },
    })
    expect(page.lines.some(({ message }) => message === 'stream broke')).toBe(true)
  })

  test('ends with a problem when the time is up for a required part', async () => {
    const page = await openStream({ parts: { a: {}, b: { required: true } }, settings: { timeout: '1s' } })
    const asking = page.fetch('/page/1', NDJSON)
    await page.clock.advance(0)
    await page.answer('a', 1)
    const reading = linesOf(await asking)
    await page.clock.advance(1_000)
    expect((await reading).at(-1)).toMatchObject({ problem: { status: 504 } })
  })
})

describe('a client of a streamed answer', () => {
  test('that leaves cancels the calls, and is noted', async () => {
    const page = await openStream({ parts: { a: {}, b: {} } })
    const asking = page.fetch('/page/1', NDJSON)
    await page.clock.advance(0)
    const body = openBody('{"n":')
    await page.answer('b', 1)
    const reader = readerOf(await asking)
    await reader.next()
    await page.answer('a', new Response(body.stream, { headers: JSON_TYPE }))
    expect(body.state.cancelled).toBe(false)
    await reader.leave()
    await page.clock.advance(0)
    expect(body.state.cancelled).toBe(true)
    expect(page.lines.filter(({ message }) => message === 'stream ended').map(({ facts }) => facts)).toEqual([
      {
        id: 'id-1',
        route: 'page',
        failure: 'client-gone',
        complete: false,
        failed: [{ part: 'a', outcome: 'failed', error: 'cancelled' }],
        calls: [
          { upstream: 'a', part: 'a', attempts: 1, target: 'http://a.test', status: 200, durationMs: 0 },
          { upstream: 'b', part: 'b', attempts: 1, target: 'http://b.test', status: 200, durationMs: 0 },
        ],
      },
    ])
  })

  test('that is gone by its connection cancels the calls too', async () => {
    const page = await openStream({ parts: { a: {}, b: {} } })
    const gone = new AbortController()
    const asking = page.fetch('/page/1', NDJSON, { ip: '192.0.2.1', gone: gone.signal })
    await page.clock.advance(0)
    await page.answer('b', 1)
    await asking
    gone.abort()
    await page.clock.advance(0)
    expect(page.requestTo('a').signal.aborted).toBe(true)
  })

  test('that does not read loses nothing, and nothing is asked again for it', async () => {
    const page = await openStream({ parts: { a: {}, b: {}, c: {} }, answers: { a: 1, b: 2, c: 3 } })
    const response = await page.fetch('/page/1', NDJSON)
    await page.clock.advance(5_000)
    expect(page.asked).toEqual(['a', 'b', 'c'])
    expect(await linesOf(response)).toHaveLength(4)
    expect(page.asked).toEqual(['a', 'b', 'c'])
  })
})

describe('who gets a stream', () => {
  test.each([
    { accept: 'application/x-ndjson', type: 'application/x-ndjson' },
    { accept: 'application/x-ndjson, */*;q=0.5', type: 'application/x-ndjson' },
    { accept: 'Application/X-NDJSON;q=0.9, application/json;q=0.8', type: 'application/x-ndjson' },
    { accept: 'text/event-stream;q=0.4, application/x-ndjson;q=0.5', type: 'application/x-ndjson' },
    { accept: 'text/event-stream, application/json;q=0.999', type: 'text/event-stream' },
    { accept: 'application/x-ndjson;q=1.5, text/event-stream;q=0.1', type: 'text/event-stream' },
    { accept: 'application/x-ndjson, application/json', type: 'application/json' },
    { accept: 'application/x-ndjson;q=0.5, */*', type: 'application/json' },
    { accept: 'application/x-ndjson;q=0', type: 'application/json' },
    { accept: 'application/x-ndjson, application/*', type: 'application/json' },
    { accept: 'text/*', type: 'application/json' },
    { accept: '*/*', type: 'application/json' },
    { accept: 'text/html', type: 'application/json' },
    { accept: ';;,=,q=', type: 'application/json' },
  ])('by "$accept": $type', async ({ accept, type }) => {
    const page = await openStream({ parts: { a: {} }, answers: { a: 1 } })
    expect((await page.fetch('/page/1', { headers: { accept } })).headers.get('content-type')).toBe(type)
  })

  test('is only told in Vary where there is a choice, and no HEAD is streamed', async () => {
    const page = await openStream({ parts: { a: {} }, answers: { a: 1 } })
    expect((await page.fetch()).headers.get('vary')).toBe('accept')
    const head = await page.fetch('/page/1', { method: 'HEAD', ...NDJSON })
    expect(head.headers.get('content-type')).toBe('application/json')
    const plain = await openPage({ parts: { a: {} }, answers: { a: 1 } })
    const response = await plain.fetch('/page/1', NDJSON)
    expect([response.headers.get('content-type'), response.headers.get('vary')]).toEqual(['application/json', null])
  })
})
