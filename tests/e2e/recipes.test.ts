import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { createTestGateway } from '../support/gateway.ts'
import { createSagaGateway } from '../support/saga-gateway.ts'

/** The recipes of `docs/composition.md`, each put into a route and asked. */

const page = readFileSync(join(import.meta.dir, '../../docs/composition.md'), 'utf8')
const recipes = new Map(
  [...page.matchAll(/^### (.+)\n(?:(?!^#)[\s\S])*?^```yaml\n([\s\S]*?)^```$/gm)]
    .filter(({ index }) => index > page.indexOf('## Recipes'))
    .map(([, title = '', sample = '']) => [title, sample]),
)

type Reply = object | (() => Response | Promise<Response>)

interface RecipePart {
  readonly upstream: string
  readonly compensate?: object
}

interface Asked {
  readonly status: number
  readonly body: unknown
  readonly complete: string | null
  /** `Composition-Status` without durations. */
  readonly composition: string | null
  /** What upstreams were asked for by now, in order. */
  readonly calls: readonly string[]
}

/** A route `/page/:id` with the sample of a recipe; upstreams answer by the path they are asked for. */
async function open(title: string, replies: Record<string, Reply>) {
  const aggregate = parse(recipes.get(title) ?? '') as { readonly parts: Record<string, RecipePart> }
  const writes = Object.values(aggregate.parts).some(({ compensate }) => compensate !== undefined)
  const names = [...new Set(Object.values(aggregate.parts).map(({ upstream }) => upstream))]
  const calls: string[] = []
  const { gateway, clock, storage } = await createSagaGateway({
    config: JSON.stringify({
      version: 1,
      upstreams: Object.fromEntries(names.map((name) => [name, { url: `http://${name}.test` }])),
      routes: { page: { path: '/page/:id', ...(writes && { methods: ['POST'] }), policies: [{ aggregate }] } },
    }),
    upstream: async (request) => {
      const { pathname, search } = new URL(request.url)
      const body = await request.text()
      calls.push([request.method, pathname + search, ...(body === '' ? [] : [body])].join(' '))
      const reply = replies[pathname]
      if (typeof reply === 'function') return reply()
      return reply === undefined ? new Response(null, { status: 500 }) : Response.json(reply)
    },
  })
  async function ask(
    path = '/page/7',
    { afterMs = 0, accept = '', json = undefined as unknown } = {},
  ): Promise<Asked & { readonly text: string }> {
    const before = calls.length
    const sent = json === undefined ? {} : { method: 'POST', body: JSON.stringify(json) }
    const answer = gateway.fetch(path, accept === '' ? sent : { headers: { accept } })
    await clock.advance(afterMs)
    const response = await answer
    const text = await response.text()
    return {
      status: response.status,
      text,
      body: accept === '' ? JSON.parse(text) : undefined,
      complete: response.headers.get('composition-complete'),
      composition: response.headers.get('composition-status')?.replace(/;dur=\d+/g, '') ?? null,
      calls: calls.slice(before),
    }
  }
  return { ask, replies, clock, storage }
}

const fails = (status: number) => () => new Response(null, { status })
const hangs = () => new Promise<Response>(() => {})
const xml = (text: string) => () => new Response(text, { headers: { 'content-type': 'application/xml' } })

const RUNS: Readonly<Record<string, (title: string) => Promise<void>>> = {
  async 'A part that needs another'(title) {
    const { ask } = await open(title, {
      '/products/7': { sellerId: 's 1', tags: ['tea', 5] },
      '/sellers/s%201': { name: 'Ann' },
      '/related': [{ id: 8 }],
    })
    const { body, calls } = await ask()
    expect(body).toEqual({
      product: { sellerId: 's 1', tags: ['tea', 5] },
      seller: { name: 'Ann' },
      related: [{ id: 8 }],
    })
    expect(calls[0]).toBe('GET /products/7')
    expect(calls.slice(1).sort()).toEqual(['GET /sellers/s%201', 'POST /related {"tags":["tea",5],"limit":3}'])
  },

  async 'What must be there, and what may be missing'(title) {
    const { ask, replies } = await open(title, {
      '/products/7': { id: 7 },
      '/stock/7': fails(503),
      '/reviews/7': hangs,
    })
    expect(await ask('/page/7', { afterMs: 150 })).toMatchObject({
      status: 200,
      body: { product: { id: 7 }, stock: { available: null } },
      complete: '?0',
      composition: 'product;ok, stock;fallback;error="status";status=503, reviews;failed;error="late"',
    })
    replies['/products/7'] = fails(404)
    expect((await ask()).status).toBe(404)
    replies['/products/7'] = fails(500)
    expect((await ask()).status).toBe(502)
  },

  async 'An old answer rather than none'(title) {
    const { ask, replies, clock } = await open(title, { '/products/7': { id: 7 }, '/prices/7': { amount: 1 } })
    expect((await ask()).calls).toEqual(['GET /products/7', 'GET /prices/7'])
    replies['/prices/7'] = fails(500)
    await clock.advance(29_000)
    expect(await ask()).toMatchObject({
      body: { product: { id: 7 }, price: { amount: 1 } },
      composition: 'product;ok;cached;age=29, price;fallback;stale;age=29;error="status";status=500',
      calls: ['GET /prices/7'],
    })
    await clock.advance(600_000)
    expect((await ask()).body).toEqual({ product: { id: 7 }, price: null })
  },

  async 'A list page'(title) {
    const { ask } = await open(title, {
      '/products': { items: [{ sku: 'A' }, { sku: 'B' }, { sku: 'A' }] },
      '/prices': [
        { sku: 'B', n: 2 },
        { sku: 'A', n: 1 },
      ],
      '/ratings/A': { stars: 4 },
    })
    const { body, calls } = await ask('/page/7?page=2')
    const A = { sku: 'A', n: 1 }
    expect(body).toMatchObject({ prices: [A, { sku: 'B', n: 2 }, A], ratings: [{ stars: 4 }, null, { stars: 4 }] })
    expect(calls).toEqual(['GET /products?page=2', 'GET /prices?skus=A,B', 'GET /ratings/A', 'GET /ratings/B'])
  },

  async 'Only when it is needed'(title) {
    const { ask, replies } = await open(title, { '/products/7': { kind: 'digital' }, '/drafts': [] })
    expect(await ask()).toMatchObject({
      complete: '?1',
      composition: 'product;ok, stock;skipped, drafts;skipped, mirror;skipped',
    })
    expect((await ask('/page/7?preview=yes')).composition).toContain('drafts;ok')
    replies['/products/7'] = { kind: 'mug' }
    expect((await ask()).calls).toEqual(['GET /products/7', 'GET /stock/7', 'GET /stock/7'])
    replies['/stock/7'] = { available: 3 }
    expect((await ask()).calls).toEqual(['GET /products/7', 'GET /stock/7'])
  },

  async 'The answer in its own shape'(title) {
    const { ask } = await open(title, {
      '/products/7': { data: { sku: 'M1', name: 'Mug', internal: 1 } },
      '/prices/7': { amount: 1250, cost: 3 },
    })
    expect((await ask()).text).toBe('{"id":"M1","name":"Mug","price":{"amount":1250},"version":2}')
  },

  async 'A sum over replies'(title) {
    const lines = [
      { price: 2, quantity: 3 },
      { price: 1, quantity: 4 },
    ]
    const { ask } = await open(title, { '/carts/7': { country: 'CH', lines }, '/rates/CH': { amount: 5 } })
    expect((await ask()).body).toEqual({ items: 2, total: 15 })
  },

  async 'Part by part'(title) {
    const { ask } = await open(title, { '/accounts/7': { name: 'Ann' }, '/reports/7': fails(500) })
    const { text } = await ask('/page/7', { accept: 'application/x-ndjson' })
    const lines = text.trim().split('\n')
    const parsed = lines.map((line) => JSON.parse(line) as object)
    expect(parsed).toHaveLength(3)
    expect(parsed).toContainEqual(expect.objectContaining({ part: 'account', body: { name: 'Ann' } }))
    expect(parsed).toContainEqual(expect.objectContaining({ part: 'report', outcome: 'failed' }))
    expect(parsed.at(-1)).toMatchObject({ complete: false })
    expect((await ask()).body).toEqual({ account: { name: 'Ann' } })
    expect((await ask('/page/7', { accept: 'text/event-stream' })).text).toContain('event: part\n')
  },

  async 'All of it or nothing'(title) {
    const { ask, replies } = await open(title, {
      '/bookings': { id: 'F1' },
      '/reservations': { id: 'H1' },
      '/bookings/F1': {},
    })
    const json = { flight: 'LX 8', hotel: 'Alpina' }
    expect(await ask('/page/7', { json })).toMatchObject({
      body: { flight: { id: 'F1' }, hotel: { id: 'H1' } },
      calls: ['POST /bookings {"flight":"LX 8"}', 'POST /reservations {"hotel":"Alpina"}'],
    })
    replies['/reservations'] = fails(409)
    const { status, text, calls } = await ask('/page/7', { json })
    expect(status).toBe(409)
    expect(text).toContain(/`("writes":.*)`/.exec(page)?.[1] ?? 'what the page shows')
    expect(calls.at(-1)).toBe('DELETE /bookings/F1')
  },

  async 'XML, text and forms'(title) {
    const { ask } = await open(title, {
      '/orders/7.xml': xml('<order id="7"><line sku="A">2</line></order>'),
      '/notes/7.txt': () => new Response('fragile', { headers: { 'content-type': 'text/plain' } }),
      '/stock/A': { available: 3 },
    })
    expect((await ask()).body).toEqual({
      order: { order: { '@id': '7', line: [{ '@sku': 'A', '#text': '2' }] } },
      note: 'fragile',
      stock: [{ available: 3 }],
    })
  },
}

describe('docs/composition.md', () => {
  test('has a test for every recipe', () => {
    expect([...recipes.keys()]).toEqual(Object.keys(RUNS))
  })

  for (const [title, run] of Object.entries(RUNS)) test(title, () => run(title))

  test('shows what its first example answers', async () => {
    const [, config = ''] = /^```yaml\n(version: 1\n[\s\S]*?)^```$/m.exec(page) ?? []
    const [, shown = ''] = /\n\n(\{"product".*\})\n```/.exec(page) ?? []
    let isDown = false
    const gateway = await createTestGateway({
      config,
      upstream: (request) => {
        if (request.url === 'http://catalog.internal:8080/products/7') return Response.json({ id: 7, name: 'Mug' })
        if (isDown) throw new TypeError('refused')
        return Response.json({ amount: 1250 })
      },
    })
    const whole = await gateway.fetch('/products/7')
    expect([await whole.text(), whole.headers.get('composition-complete')]).toEqual([shown, '?1'])
    isDown = true
    const partial = await gateway.fetch('/products/7')
    expect([partial.status, partial.headers.get('composition-complete')]).toEqual([200, '?0'])
    expect(partial.headers.get('composition-status')).toContain('price;failed;error="unreachable"')
  })
})
