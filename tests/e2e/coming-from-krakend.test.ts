import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { createTestGateway } from '../support/gateway.ts'
import { createSagaGateway } from '../support/saga-gateway.ts'

/** The table "Coming from KrakenD" of `docs/composition.md`: what stands in the right column is loaded and run, row by row. */

const page = readFileSync(join(import.meta.dir, '../../docs/composition.md'), 'utf8')
const table = page.slice(page.indexOf('## Coming from KrakenD'), page.indexOf('What has no equivalent:'))
const rows = new Map(
  [...table.matchAll(/^\| (.+?) \| (.+) \|$/gm)]
    .map(([, theirs = '', ours = '']) => [theirs, ours] as const)
    .filter(([theirs]) => theirs !== 'KrakenD' && !theirs.startsWith('-')),
)

/** The options a row shows, put together. */
function optionsOf(row: string): Record<string, unknown> {
  const spans = [...(rows.get(row) ?? '').matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)
  const mappings = spans.filter((code) => /^[a-z-]+: /.test(code)).map((code) => parse(code) as object)
  return Object.assign({}, ...mappings)
}

type Reply = object | string | number | (() => Response | Promise<Response>)

interface Composed {
  /** Options of the aggregate. */
  readonly aggregate?: object
  /** Parts by name; each asks for a path of its own name unless it says otherwise. */
  readonly parts: Readonly<Record<string, object>>
  /** By path. */
  readonly replies: Readonly<Record<string, Reply>>
  readonly upstream?: object
  readonly request?: RequestInit
  readonly path?: string
  readonly policies?: readonly object[]
  readonly afterMs?: number
}

async function ask({
  aggregate = {},
  parts,
  replies,
  upstream,
  request = {},
  path = '/page/7',
  policies = [],
  afterMs = 0,
}: Composed) {
  const written = Object.entries(parts).map(([name, part]) => [
    name,
    { upstream: 'service', path: `/${name}`, ...part },
  ])
  const { gateway, clock } = await createSagaGateway({
    config: JSON.stringify({
      version: 1,
      upstreams: { service: { url: 'http://service.test', ...upstream } },
      routes: {
        page: {
          path: '/page/:id',
          methods: [request.method ?? 'GET'],
          policies: [...policies, { aggregate: { parts: Object.fromEntries(written), ...aggregate } }],
        },
      },
    }),
    upstream: (asked) => {
      const reply = replies[new URL(asked.url).pathname]
      if (typeof reply === 'function') return reply()
      return reply === undefined ? new Response(null, { status: 404 }) : Response.json(reply)
    },
  })
  const answer = gateway.fetch(path, request)
  await clock.advance(afterMs)
  const response = await answer
  const { status, headers } = response
  const body = (await response.json()) as unknown
  return { status, headers, body, asked: gateway.upstreamRequests }
}

/** What one part with the options of a row shows of a reply. */
async function shown(row: string, reply: Reply): Promise<unknown> {
  const { body } = await ask({ parts: { a: optionsOf(row) }, replies: { '/a': reply } })
  return (body as { readonly a: unknown }).a
}

const fails = (status: number) => () => new Response(null, { status })
const typed = (type: string, text: string) => () => new Response(text, { headers: { 'content-type': type } })
const urlsOf = ({ asked }: Awaited<ReturnType<typeof ask>>) =>
  asked.map(({ url }) => url.replace('http://service.test', ''))
const statusOf = ({ headers }: Awaited<ReturnType<typeof ask>>) =>
  headers.get('composition-status')?.replace(/;dur=\d+/g, '')

const ROWS: Readonly<Record<string, (row: string) => Promise<void>>> = {
  async '`"url_pattern": "/users/{id}"`'(row) {
    expect(urlsOf(await ask({ parts: { a: optionsOf(row) }, replies: {} }))).toEqual(['/users/7'])
  },
  async '`"method": "POST"`'(row) {
    const request = { method: 'POST', body: '{"n":[1]}' }
    const { asked } = await ask({ parts: { a: optionsOf(row) }, replies: {}, request })
    expect([asked[0]?.method, await asked[0]?.text()]).toEqual(['POST', '{"n":[1]}'])
    const silent = await ask({ parts: { a: { ...optionsOf(row), body: undefined } }, replies: {}, request })
    expect(await silent.asked[0]?.text()).toBe('')
  },
  async '`"host": ["http://a", "http://b"]`'(row) {
    const upstream = { ...optionsOf(row), url: undefined }
    const { asked } = await ask({ parts: { a: {}, b: {}, c: {}, d: {} }, replies: {}, upstream })
    expect(new Set(asked.map(({ url }) => new URL(url).host))).toEqual(new Set(['a.test', 'b.test']))
  },
  async '`"allow": ["id", "name"]`'(row) {
    expect(await shown(row, { id: 1, name: 'n', x: 2 })).toEqual({ id: 1, name: 'n' })
  },
  async '`"deny": ["secret", "price.cost"]`'(row) {
    expect(await shown(row, { secret: 1, price: { cost: 2, net: 3 } })).toEqual({ price: { net: 3 } })
  },
  async '`"mapping": {"blog": "site"}`'(row) {
    expect(await shown(row, { id: 1, blog: 'b' })).toEqual({ id: 1, site: 'b' })
  },
  async '`"group": "last_post"`'(row) {
    const alone = await ask({ parts: { last_post: {} }, replies: { '/last_post': { id: 1 } } })
    expect(alone.body).toEqual({ last_post: { id: 1 } })
    const parts = { a: optionsOf(row), b: optionsOf(row) }
    const several = await ask({ parts, replies: { '/a': { n: 1 }, '/b': { n: 2 } } })
    expect(several.body).toEqual({ last_post: { a: { n: 1 }, b: { n: 2 } } })
  },
  async 'no `group`: merged, the slowest overwrites'(row) {
    const { 'on-conflict': decides, ...part } = optionsOf(row)
    const slow = () => Promise.resolve().then(() => Response.json({ n: 'slow', s: 1 }))
    for (const replies of [
      { '/a': slow, '/b': { n: 'quick' } },
      { '/a': { n: 'quick' }, '/b': slow },
    ]) {
      const first = await ask({ aggregate: { 'on-conflict': decides }, parts: { a: part, b: part }, replies })
      expect(first.body).toMatchObject({ n: replies['/a'] === slow ? 'slow' : 'quick' })
      const strict = await ask({ parts: { a: part, b: part }, replies })
      expect(statusOf(strict)).toBe('a;ok, b;failed;error="conflict"')
    }
  },
  async '`"target": "data"`'(row) {
    expect(await shown(row, { data: { id: 1 }, meta: {} })).toEqual({ id: 1 })
  },
  async '`flatmap_filter` `del` `students.*.grade`'(row) {
    expect(await shown(row, { students: [{ n: 1, grade: 6 }, { n: 2 }] })).toEqual({ students: [{ n: 1 }, { n: 2 }] })
  },
  async '`flatmap_filter` `move` `school.students` to `alumni`'(row) {
    expect(await shown(row, { name: 'x', school: { students: [1, 2] } })).toEqual({ name: 'x', alumni: [1, 2] })
  },
  async '`flatmap_filter` `append` `more` to `all`'(row) {
    expect(await shown(row, { all: [1], more: [2, 3] })).toEqual({ all: [1, 2, 3] })
  },
  async '`"is_collection": true`'(row) {
    expect(optionsOf(row)).toEqual({})
    expect(await shown(row, [{ id: 1 }])).toEqual([{ id: 1 }])
  },
  async '`"output_encoding": "json-collection"`'(row) {
    const { body } = await ask({ aggregate: optionsOf(row), parts: { posts: {} }, replies: { '/posts': [1, 2] } })
    expect(body).toEqual([1, 2])
  },
  async '`"sequential": true`, `{resp0_user.id}`'(row) {
    const parts = { b: optionsOf(row), user: {} }
    expect(urlsOf(await ask({ parts, replies: { '/user': { user: { id: 'u 1' } } } }))).toEqual([
      '/user',
      '/orders/u%201',
    ])
  },
  async 'a step under a condition'(row) {
    const parts = { user: {}, b: optionsOf(row) }
    expect(statusOf(await ask({ parts, replies: { '/user': { kind: 'guest' } } }))).toBe('user;ok, b;skipped')
    expect(statusOf(await ask({ parts, replies: { '/user': { kind: 'admin' }, '/b': {} } }))).toBe('user;ok, b;ok')
  },
  async '`static` with `always`'(row) {
    const whole = { aggregate: optionsOf(row), parts: { a: {}, b: {} }, replies: { '/a': 1, '/b': 1 } }
    expect((await ask(whole)).body).toEqual({ a: 1, b: 1, v: 1 })
    expect((await ask({ ...whole, replies: { '/a': 1 } })).body).toEqual({ a: 1, v: 1 })
  },
  async '`static` with `complete`, `success`'(row) {
    const whole = { aggregate: optionsOf(row), parts: { a: {}, b: {} }, replies: { '/a': 1, '/b': 1 } }
    expect((await ask(whole)).body).toEqual({ a: 1, b: 1, whole: true })
    expect((await ask({ ...whole, replies: { '/a': 1 } })).body).toEqual({ a: 1 })
  },
  async '`static` with `incomplete`, `errored`'(row) {
    const whole = { aggregate: optionsOf(row), parts: { a: {}, b: {} }, replies: { '/a': 1, '/b': 1 } }
    expect((await ask(whole)).body).toEqual({ a: 1, b: 1 })
    expect((await ask({ ...whole, replies: { '/a': 1 } })).body).toEqual({ a: 1, whole: false })
  },
  async '`X-KrakenD-Completed: false`'() {
    const { status, headers } = await ask({ parts: { a: {}, b: {} }, replies: { '/a': 1 } })
    expect([status, headers.get('composition-complete')]).toEqual([200, '?0'])
    const replaced = await ask({ parts: { a: {}, b: { fallback: 0 } }, replies: { '/a': 1 } })
    expect(replaced.headers.get('composition-complete')).toBe('?0')
  },
  async 'no way to make a backend mandatory'(row) {
    expect((await ask({ parts: { a: {}, b: optionsOf(row) }, replies: { '/a': 1 } })).status).toBe(502)
  },
  async 'no rollback: "hope for the best"'(row) {
    const parts = { a: { method: 'POST', ...optionsOf(row) }, b: { path: '/b/{parts.a.body.id}', required: true } }
    const replies = { '/a': { id: 'F 1' }, '/bookings/F%201': {} }
    const { status, asked } = await ask({ parts, replies, request: { method: 'POST' } })
    expect([status, asked.map(({ method, url }) => `${method} ${new URL(url).pathname}`)]).toEqual([
      502,
      ['POST /a', 'GET /b/F%201', 'DELETE /bookings/F%201'],
    ])
  },
  async '`"return_error_details": "b"`'(row) {
    const replies = { '/a': 1, '/b': () => Response.json({ why: 'gone' }, { status: 404 }) }
    const said = await ask({ parts: { a: {}, b: {} }, replies })
    expect([statusOf(said), said.body]).toEqual(['a;ok, b;failed;error="status";status=404', { a: 1 }])
    expect((await ask({ parts: { a: {}, b: optionsOf(row) }, replies })).body).toEqual({ a: 1, b: { why: 'gone' } })
  },
  async '`"return_error_code": true`'(row) {
    expect((await ask({ parts: { a: optionsOf(row) }, replies: {} })).status).toBe(404)
  },
  async '`500` when all backends failed'() {
    const answers = [fails(500), () => Promise.reject(new TypeError('refused')), () => new Promise<Response>(() => {})]
    const statuses: number[] = []
    for (const reply of answers) {
      const composed = { parts: { a: {}, b: {} }, replies: { '/a': reply, '/b': reply }, aggregate: { timeout: '1s' } }
      statuses.push((await ask({ ...composed, afterMs: 1_000 })).status)
    }
    const open = { policies: [{ 'circuit-breaker': { 'minimum-calls': 1 } }] }
    const replies = { '/a': 1, '/b': fails(500) }
    const parts = { a: { required: true, path: '/{parts.b.body}' }, b: { fallback: 'a' } }
    statuses.push((await ask({ parts, replies, upstream: open })).status)
    expect(statuses).toEqual([502, 502, 504, 503])
  },
  async '`"timeout": "800ms"` of the endpoint'(row) {
    const replies = { '/a': 1, '/b': () => new Promise<Response>(() => {}) }
    const composed = { aggregate: optionsOf(row), parts: { a: {}, b: {} }, replies }
    expect(statusOf(await ask({ ...composed, afterMs: 800 }))).toBe('a;ok, b;failed;error="timeout"')
  },
  async '`"timeout"` of a backend'(row) {
    const replies = { '/a': 1, '/b': () => new Promise<Response>(() => {}) }
    const composed = { parts: { a: {}, b: optionsOf(row) }, replies }
    expect(statusOf(await ask({ ...composed, afterMs: 100 }))).toBe('a;ok, b;failed;error="timeout"')
  },
  async '`"input_headers": ["X-Tenant"]`'(row) {
    const request = { headers: { 'x-tenant': 't', 'x-other': 'o' } }
    const { asked } = await ask({ parts: { a: optionsOf(row) }, replies: {}, request })
    expect([asked[0]?.headers.get('x-tenant'), asked[0]?.headers.get('x-other')]).toEqual(['t', null])
  },
  async '`"input_query_strings": ["page"]`'(row) {
    const path = '/page/7?page=2&other=1'
    expect(urlsOf(await ask({ parts: { a: optionsOf(row) }, replies: {}, path }))).toEqual(['/a?page=2'])
  },
  async '`"encoding": "xml"`'(row) {
    expect(await shown(row, typed('text/xml', '<user id="1"><name>Ann</name></user>'))).toEqual({
      user: { '@id': '1', name: 'Ann' },
    })
  },
  async '`"encoding": "string"`'(row) {
    expect(await shown(row, typed('text/plain', 'hello'))).toBe('hello')
  },
  async '`"encoding": "safejson"`'(row) {
    for (const reply of [[1], { n: 1 }, 'text'])
      expect(await shown(row, typed('application/json', JSON.stringify(reply)))).toEqual(reply)
  },
  async '`"encoding": "no-op"`'() {
    const headers = new Headers([
      ['x-own', '1'],
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ])
    const gateway = await createTestGateway({ upstream: () => new Response('teapot', { status: 418, headers }) })
    const response = await gateway.fetch('/x/1')
    expect([response.status, await response.text(), response.headers.get('x-own')]).toEqual([418, 'teapot', '1'])
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
  },
  async '`"cache_ttl": "3600s"`'() {
    const lasting = (seconds: number) => () =>
      Response.json(1, { headers: { 'cache-control': `public, max-age=${seconds}` } })
    const whole = await ask({ parts: { a: {}, b: {} }, replies: { '/a': lasting(60), '/b': lasting(9) } })
    expect(whole.headers.get('cache-control')).toBe('public, max-age=9')
    const partial = await ask({ parts: { a: {}, b: {} }, replies: { '/a': lasting(60) } })
    expect(partial.headers.get('cache-control')).toBe('no-store')
  },
  async '`qos/http-cache`'(row) {
    const part = { ...optionsOf(row), path: '/a/{item}', 'for-each': '{parts.list.body}' }
    const { body } = await ask({ parts: { list: {}, a: part }, replies: { '/list': [1], '/a/1': { n: 1 } } })
    expect(body).toEqual({ list: [1], a: [{ n: 1 }] })
    const gateway = await createTestGateway({
      policies: [{ aggregate: { parts: { a: { upstream: 'upstream', path: '/a', ...optionsOf(row) } } } }],
      upstream: () => Response.json(1),
    })
    for (let i = 0; i < 3; i++) expect((await gateway.fetch('/x/1')).status).toBe(200)
    expect(gateway.upstreamRequests).toHaveLength(1)
  },
  async '`validation/cel` on a backend'(row) {
    const part = { ...optionsOf(row), when: { 'query.kind': ['a', 'b'] } }
    expect(optionsOf(row)).toEqual({ when: { 'query.kind': ['a', 'b'], 'claims.role': 'admin' } })
    const composed = { parts: { a: part }, replies: { '/a': 1 } }
    expect(statusOf(await ask({ ...composed, path: '/page/7?kind=b' }))).toBe('a;ok')
    expect(statusOf(await ask({ ...composed, path: '/page/7?kind=c' }))).toBe('a;skipped')
    const unsigned = { parts: { a: optionsOf(row) }, replies: { '/a': 1 }, path: '/page/7?kind=a' }
    expect(statusOf(await ask(unsigned))).toBe('a;skipped')
  },
  async '`modifier/jmespath`, response templates'(row) {
    expect(
      await shown(row, {
        items: [
          { sku: 'A', price: 9 },
          { sku: 'B', price: 11 },
        ],
      }),
    ).toBe('B')
  },
}

describe('the table for those who come from KrakenD', () => {
  test('has a test for every row', () => {
    expect([...rows.keys()]).toEqual(Object.keys(ROWS))
  })

  for (const [row, run] of Object.entries(ROWS)) test(row.replaceAll('`', ''), () => run(row))
})
