import { describe, expect, test } from 'bun:test'
import { compositionOf, JSON_TYPE, openPage, type Scripted } from './test-page.ts'

const LIST = { items: [{ sku: 'a' }, { sku: 'b' }, { sku: 'a' }, { sku: 3 }] }
const STOCK: Readonly<Record<string, object>> = { a: { sku: 'a', n: 1 }, b: { sku: 'b', n: 2 }, 3: { sku: 3, n: 3 } }

const stock = {
  path: '/stock?skus={keys}',
  'for-each': '{parts.list.body.items}',
  batch: { key: '{item.sku}', join: 'sku' },
}
const keysOf = ({ url }: Request) => decodeURIComponent(/skus=(.*)/.exec(url)?.[1] ?? '').split(',')
/** In another order than asked. */
const asList = (request: Request) =>
  Response.json(
    keysOf(request)
      .reverse()
      .flatMap((key) => STOCK[key] ?? []),
  )

async function open(part: object, answer: Scripted = asList, list: object = LIST) {
  const page = await openPage({ parts: { list: {}, stock: part }, answers: { list, stock: answer } })
  const response = await page.fetch()
  const text = await response.text()
  return {
    outcome: compositionOf(response).parts.stock,
    document: (JSON.parse(text) as { stock: unknown }).stock,
    text,
    urls: page.urlsOf('stock'),
    record: page.records[0],
    page,
  }
}

describe('a call for many items', () => {
  test('asks for every key once and joins the reply to the items', async () => {
    const { outcome, document, urls } = await open(stock)
    expect(urls).toEqual(['http://stock.test/stock?skus=a,b,3'])
    expect(document).toEqual([STOCK.a, STOCK.b, STOCK.a, STOCK[3]])
    expect(outcome).toEqual({ ok: true })
  })

  test('keeps the text of each entry', async () => {
    const json = '{"data": {"rows": [ {"sku":"b","n":2.50} , {"n":1e2,"sku":"a"}, 7, {"sku":3, "x":"]}\\""}]}}'
    const part = { ...stock, batch: { ...stock.batch, in: 'data.rows' } }
    const { text } = await open(part, () => new Response(json, { headers: JSON_TYPE }))
    expect(text).toContain(
      '"stock":[{"n":1e2,"sku":"a"},{"sku":"b","n":2.50},{"n":1e2,"sku":"a"},{"sku":3, "x":"]}\\""}]',
    )
  })

  test('takes a mapping by key', async () => {
    const part = { ...stock, batch: { key: '{item.sku}' } }
    const { document } = await open(part, () => Response.json({ a: 1, b: null, 3: 'three', other: 0 }))
    expect(document).toEqual([1, null, 1, 'three'])
  })

  test('takes the first of two entries with one key', async () => {
    const { document } = await open(stock, () => Response.json([STOCK.a, { sku: 'a', n: 9 }, STOCK.b, STOCK[3]]))
    expect(document).toEqual([STOCK.a, STOCK.b, STOCK.a, STOCK[3]])
  })

  test('is split into several', async () => {
    const { document, urls } = await open({ ...stock, batch: { ...stock.batch, 'at-most': 2 } })
    expect(urls).toEqual(['http://stock.test/stock?skus=a,b', 'http://stock.test/stock?skus=3'])
    expect(document).toEqual([STOCK.a, STOCK.b, STOCK.a, STOCK[3]])
  })

  test.each([
    {
      name: 'a repeated parameter',
      part: { path: '/s', query: { id: '{keys}' } },
      url: 'http://stock.test/s?id=a&id=b&id=3',
      body: '',
    },
    {
      name: 'a body, with their types',
      part: { path: '/s', method: 'POST', safe: true, body: { ids: '{keys}' } },
      url: 'http://stock.test/s',
      body: '{"ids":["a","b",3]}',
    },
    { name: 'a path', part: { path: '/s/{keys}/now' }, url: 'http://stock.test/s/a,b,3/now', body: '' },
  ])('may have its keys in $name', async ({ part, url, body }) => {
    const { page } = await open({ ...stock, ...part }, () => Response.json([]))
    expect(page.requestTo('stock').url).toBe(url)
    expect(await page.requestTo('stock').text()).toBe(body)
  })

  test.each([
    {
      name: 'an entry that is missing',
      answer: () => Response.json([STOCK.a, STOCK.b]),
      error: { error: 'invalid-response' },
    },
    { name: 'a reply that is no list', answer: () => Response.json({ a: 1 }), error: { error: 'invalid-response' } },
    {
      name: 'a failed call',
      answer: () => new Response(null, { status: 500 }),
      error: { error: 'status', status: 500 },
    },
  ])('fails its part by $name', async ({ answer, error }) => {
    expect((await open(stock, answer)).outcome).toEqual({ failed: true, ...error })
  })

  test('fails the items of one call only, where there is a fallback', async () => {
    const part = {
      ...stock,
      'for-each': { items: '{parts.list.body.items}', fallback: 0 },
      batch: { ...stock.batch, 'at-most': 2 },
    }
    const answer = (request: Request) =>
      keysOf(request).includes('3') ? new Response(null, { status: 500 }) : asList(request)
    const { document, outcome } = await open(part, answer)
    expect(document).toEqual([STOCK.a, STOCK.b, STOCK.a, 0])
    expect(outcome).toEqual({ partial: true, failed: 1, error: 'status', status: 500 })
  })

  test.each([
    { name: 'that would be two', sku: 'a,b' },
    { name: 'that is no name', sku: { x: 1 } },
    { name: 'that is empty', sku: '' },
    { name: 'that is missing', sku: undefined },
    { name: 'with more digits than are kept', sku: 2 ** 60 },
  ])('does not ask for a key $name', async ({ sku }) => {
    const part = { ...stock, 'for-each': { items: '{parts.list.body.items}', fallback: 0 } }
    const { document, urls, outcome } = await open(part, asList, { items: [{ sku: 'a' }, { sku }] })
    expect(urls).toEqual(['http://stock.test/stock?skus=a'])
    expect(document).toEqual([STOCK.a, 0])
    expect(outcome).toEqual({ partial: true, failed: 1, error: 'input' })
  })

  test('reaches no prototype by a key', async () => {
    const part = {
      ...stock,
      batch: { key: '{item.sku}' },
      'for-each': { items: '{parts.list.body.items}', fallback: 0 },
    }
    const { document } = await open(part, () => Response.json({ a: 1 }), {
      items: [{ sku: '__proto__' }, { sku: 'toString' }, { sku: 'a' }],
    })
    expect(document).toEqual([0, 0, 1])
  })
})
