import { describe, expect, test } from 'bun:test'
import { compositionOf, JSON_TYPE, openPage, type Scripted } from './test-page.ts'

const LIST = {
  items: [
    { sku: 'a', n: 1 },
    { sku: 'b/', n: 2 },
    { sku: 'a', n: 3 },
  ],
}
const EACH = { 'for-each': '{parts.list.body.items}', path: '/of/{item.sku}' }
const echo = ({ url }: Request) => Response.json({ at: new URL(url).pathname })

/** Composes a list and a part `each` for its items. */
function openList(
  each: object,
  answer: Scripted = echo,
  { list = LIST, settings = {} }: { list?: object; settings?: object } = {},
) {
  return openPage({ parts: { list: {}, each }, answers: { list, each: answer }, settings })
}

const documentOf = async (response: Response) => ((await response.json()) as { each: unknown }).each

describe('a part for each item of a list', () => {
  test('is the list of replies in the order of the items, equal calls made once', async () => {
    const page = await openList(EACH)
    const response = await page.fetch()
    expect(await documentOf(response)).toEqual([{ at: '/of/a' }, { at: '/of/b%2F' }, { at: '/of/a' }])
    expect(page.asked).toEqual(['list', 'each', 'each'])
    expect(compositionOf(response)).toEqual({ complete: true, parts: { list: { ok: true }, each: { ok: true } } })
  })

  test('keeps the digits of every reply', async () => {
    const page = await openList(EACH, () => new Response('{"n":1.10}', { headers: JSON_TYPE }))
    expect(await (await page.fetch()).text()).toContain('"each":[{"n":1.10},{"n":1.10},{"n":1.10}]')
  })

  test('keeps the order of the items whoever answers first', async () => {
    const waiting: ((response: Response) => void)[] = []
    const page = await openList({ ...EACH, path: '/{index}' }, () => new Promise((resolve) => waiting.push(resolve)))
    const answer = page.fetch()
    await page.clock.advance(0)
    for (const i of [2, 0, 1]) waiting[i]?.(Response.json(i))
    expect(await documentOf(await answer)).toEqual([0, 1, 2])
  })

  test('asks in the order of the items when they wait for their turn', async () => {
    const parts = { a: {}, b: {}, each: { 'for-each': '{body}', path: '/{item}' } }
    const page = await openPage({ parts, settings: { concurrency: 3 } })
    const response = page.fetch('/page/1', { method: 'POST', body: '[1,2,3,4]' })
    await page.clock.advance(0)
    for (const item of [1, 2, 3, 4]) await page.answer('each', item)
    expect(page.urlsOf('each').map((url) => new URL(url).pathname)).toEqual(['/1', '/2', '/3', '/4'])
    await page.answer('a', {})
    await page.answer('b', {})
    expect(await documentOf(await response)).toEqual([1, 2, 3, 4])
  })

  test('makes equal calls once only where they change nothing', async () => {
    const page = await openList({ ...EACH, method: 'POST', safe: true, body: { sku: '{item.sku}' }, path: '/x' })
    await page.fetch()
    expect(page.asked).toEqual(['list', 'each', 'each', 'each'])
  })

  test.each([
    { name: 'the list of a request', init: { method: 'POST', body: '[1,2]' }, list: '{body}', sent: ['/1', '/2'] },
    { name: 'a list in it', init: { method: 'POST', body: '{"x":["p"]}' }, list: '{body.x}', sent: ['/p'] },
  ])('may ask for $name', async ({ init, list, sent }) => {
    const page = await openPage({ parts: { each: { 'for-each': list, path: '/{item}' } }, answers: { each: echo } })
    expect(await documentOf(await page.fetch('/page/1', init))).toEqual(sent.map((at) => ({ at })))
  })

  test('is an empty list for an empty one', async () => {
    const page = await openList(EACH, echo, { list: { items: [] } })
    const response = await page.fetch()
    expect(await documentOf(response)).toEqual([])
    expect(compositionOf(response).complete).toBe(true)
    expect(page.asked).toEqual(['list'])
  })

  test('is read by others as a list', async () => {
    const parts = {
      list: {},
      each: EACH,
      last: { method: 'POST', safe: true, body: { all: '{parts.each.body}', first: '{parts.each.body.0.at}' } },
    }
    const page = await openPage({ parts, answers: { list: LIST, each: echo, last: {} } })
    await page.fetch()
    expect(await page.requestTo('last').json()).toMatchObject({ all: [{ at: '/of/a' }, {}, {}], first: '/of/a' })
  })

  test.each([
    { name: 'no list', list: { items: { sku: 1 } }, error: 'input' },
    { name: 'nothing', list: {}, error: 'input' },
    {
      name: 'more items than allowed',
      list: { items: Array.from({ length: 101 }, (_, sku) => ({ sku })) },
      error: 'too-many',
    },
    { name: 'an item without what is asked for', list: { items: [{ sku: 'a' }, {}] }, error: 'input' },
  ])('has failed when there is $name', async ({ list, error }) => {
    const page = await openList(EACH, () => new Promise(() => {}), { list })
    const response = await page.fetch()
    expect(response.status).toBe(200)
    expect(compositionOf(response).parts.each).toEqual({ failed: true, error })
  })

  test('blames the client for a list of its own', async () => {
    const page = await openPage({
      parts: { each: { 'for-each': { items: '{body}', 'at-most': 2 }, path: '/{item}', required: true } },
    })
    for (const body of ['{}', '[1,2,3]']) {
      const response = await page.fetch('/page/1', { method: 'POST', body })
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({ detail: expect.stringContaining('"body"') })
    }
  })

  test.each([
    { name: 'too long for a path', part: { query: { q: '{body.text}' } } },
    { name: 'not too long for a body', part: { method: 'POST', safe: true, body: { text: '{body.text}' } } },
    { name: 'too long for a body', part: { method: 'POST', safe: true, body: { text: '{body.text}{body.text}' } } },
    { name: 'long in a field', part: { headers: { 'x-text': '{body.text}' } } },
  ])('is not worded to its end when one value of the client makes every call long: $name', async ({ part }) => {
    let worded = 0
    const list = { path: '/of/{item}', 'for-each': { items: '{body.items}', 'at-most': 10_000, fallback: 0 }, ...part }
    const page = await openPage({
      parts: { each: list, z: {} },
      answers: { each: () => Response.json(++worded), z: 1 },
    })
    const body = JSON.stringify({ items: Array.from({ length: 10_000 }, (_, i) => i), text: 'x'.repeat(600_000) })
    const response = await page.fetch('/page/1', { method: 'POST', body, headers: JSON_TYPE })
    expect(await response.text()).toBe('{"z":1}')
    expect(compositionOf(response).parts.each).toEqual({ failed: true, error: 'input' })
    expect(JSON.stringify(page.records)).toContain('its calls would have more than 33554432 characters together')
    expect(worded).toBe(0)
  })

  test('makes at most so many calls at once', async () => {
    const items = Array.from({ length: 10 }, (_, sku) => ({ sku }))
    let [open, most] = [0, 0]
    const slow = async (request: Request) => {
      most = Math.max(most, ++open)
      await Promise.resolve()
      open--
      return echo(request)
    }
    const page = await openList({ ...EACH, 'for-each': { items: '{parts.list.body.items}', concurrency: 3 } }, slow, {
      list: { items },
    })
    expect(await documentOf(await page.fetch())).toHaveLength(10)
    expect(most).toBe(3)
  })

  test('holds all replies together to the largest size', async () => {
    const big = () => Response.json('x'.repeat(40))
    expect(compositionOf(await (await openList({ ...EACH, 'max-bytes': '126B' }, big)).fetch()).parts.each).toEqual({
      ok: true,
    })
    const page = await openList({ ...EACH, 'max-bytes': '125B' }, big)
    expect(compositionOf(await page.fetch()).parts.each).toEqual({ failed: true, error: 'too-large' })
  })
})

describe('an item without a reply', () => {
  const failB = (request: Request) => (request.url.includes('/b') ? new Response(null, { status: 404 }) : echo(request))
  const each = { ...EACH, 'for-each': { items: '{parts.list.body.items}', fallback: { at: null } } }

  test('has its fallback, and the list says that it is partial', async () => {
    const page = await openList(each, failB)
    const response = await page.fetch()
    expect(await documentOf(response)).toEqual([{ at: '/of/a' }, { at: null }, { at: '/of/a' }])
    expect(compositionOf(response)).toMatchObject({
      complete: false,
      parts: { each: { partial: true, failed: 1, error: 'status', status: 404 } },
    })
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(page.records[0]).toMatchObject({ policies: { aggregate: { failed: [{ part: 'each', error: 'status' }] } } })
  })

  test('fails the part without one, and the other calls are cancelled', async () => {
    const hanging: AbortSignal[] = []
    const answer = (request: Request) => {
      if (request.url.includes('/b')) return new Response(null, { status: 404 })
      hanging.push(request.signal)
      return new Promise<Response>(() => {})
    }
    const page = await openList({ ...EACH, fallback: [] }, answer)
    const response = await page.fetch()
    expect(await documentOf(response)).toEqual([])
    expect(compositionOf(response).parts.each).toEqual({ fallback: true, error: 'status', status: 404 })
    expect(hanging.map(({ aborted }) => aborted)).toEqual([true])
  })

  test('leaves an answer where the list is all there is', async () => {
    const page = await openPage({
      parts: { each: { ...each, 'for-each': { items: '{body}', fallback: 0 } } },
      answers: { each: failB },
    })
    const response = await page.fetch('/page/1', { method: 'POST', body: '[{"sku":"a"},{"sku":"b"}]' })
    expect([response.status, await response.text()]).toEqual([200, '{"each":[{"at":"/of/a"},0]}'])
  })

  test('leaves nothing but stand-ins: then the whole part has', async () => {
    const page = await openList(each, () => new Response(null, { status: 503 }))
    const response = await page.fetch()
    expect(await documentOf(response)).toEqual([{ at: null }, { at: null }, { at: null }])
    expect(compositionOf(response).parts.each).toEqual({ fallback: true, error: 'status', status: 503 })
  })

  test('may be one whose time is up', async () => {
    const answer = (request: Request) => (request.url.includes('/b') ? new Promise<Response>(() => {}) : echo(request))
    const page = await openList({ ...each, timeout: '100ms' }, answer)
    const response = page.fetch()
    await page.clock.advance(100)
    expect(compositionOf(await response).parts.each).toEqual({ partial: true, failed: 1, error: 'timeout' })
    expect(page.requestTo('each').signal.aborted).toBe(true)
  })

  test('cancels the rest of a required part at once', async () => {
    const page = await openList({ ...EACH, required: true }, failB)
    const response = await page.fetch()
    expect(response.status).toBe(502)
    expect(await response.json()).toMatchObject({ parts: [{ name: 'each', error: 'status', status: 404 }] })
  })
})
