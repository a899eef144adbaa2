import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { readFile } from 'node:fs/promises'
import process from 'node:process'
import { openScene, problemCode, type Scene, SERVICES } from './scene.ts'

/** The path that is decided on is the path that is forwarded. */

let scene: Scene
let before = 0

/** SHA-256 of "secret". */
const SECRET = 'sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b'

beforeAll(async () => {
  scene = await openScene({
    config: (upstream) => ({
      version: 1,
      services: SERVICES,
      upstreams: { main: { url: upstream }, based: { url: `${upstream}/base` } },
      routes: {
        public: { path: '/public/*', upstream: 'main' },
        admin: {
          path: '/admin',
          policies: [{ 'api-key': { clients: { root: { keys: [SECRET] } } } }],
          upstream: 'main',
        },
        below: {
          path: '/admin/*',
          policies: [{ 'api-key': { clients: { root: { keys: [SECRET] } } } }],
          upstream: 'main',
        },
        files: { path: '/files/*', methods: ['GET', 'HEAD'], upstream: { name: 'based', path: '/{params.*}' } },
        item: {
          path: '/items/:id',
          methods: ['GET'],
          upstream: { name: 'based', path: '/v/{params.id}/full?lang={query.lang}' },
        },
        write: { path: '/items/:id', methods: ['PUT'], upstream: 'main' },
        moved: { path: '/old/:id', policies: [{ redirect: { to: '/new/{params.id}?q={query.q}' } }] },
        told: {
          path: '/told/:id',
          policies: [{ headers: { request: { set: { 'x-item': '{query.v}' } } } }],
          upstream: 'main',
        },
      },
    }),
  })
})
afterAll(() => scene.close())
beforeEach(() => {
  before = scene.upstream.requests.length
})

const targets = () => scene.upstream.requests.slice(before).map(({ requestLine }) => requestLine.split(' ')[1])

interface Row {
  readonly target: string
  readonly status: number
  /** The target the upstream sees; nothing is forwarded when left out. */
  readonly seen?: string
}

function rows(table: readonly Row[]) {
  for (const { target, status, seen } of table) {
    test(`${status} ${target}${seen === undefined ? '' : ` → ${seen}`}`, async () => {
      expect((await scene.get(target)).status).toBe(status)
      expect(targets()).toEqual(seen === undefined ? [] : [seen])
    })
  }
}

describe('a protected path cannot be reached through an open one', () => {
  rows([
    { target: '/admin', status: 401 },
    { target: '/public/../admin', status: 401 },
    { target: '/public/%2e%2e/admin', status: 401 },
    { target: '/public/%2E%2E/admin', status: 401 },
    { target: '/public/.%2e/admin', status: 401 },
    { target: '/public/x/../../admin/secret', status: 401 },
    { target: '/./admin', status: 401 },
    { target: '/%61dmin', status: 401 },
    { target: '/%61%64%6D%69%6e', status: 401 },
    { target: '/public/..%2fadmin', status: 400 },
    { target: '/public/..%5cadmin', status: 400 },
    { target: '/public/%2e%2e%2fadmin', status: 400 },
    { target: '/public\\..\\admin', status: 401 },
    { target: '//admin', status: 400 },
    { target: '/admin//', status: 400 },
    { target: '/public//../admin', status: 200, seen: '/public/admin' },
    { target: 'http://shop.test/public/../admin', status: 401 },
    { target: '/%2561dmin', status: 404 },
    { target: '/admin%20', status: 404 },
    { target: '/admin;x=1', status: 404 },
    { target: '/admin.', status: 404 },
    { target: '/ADMIN', status: 404 },
    { target: '/Admin/', status: 404 },
    { target: '/admin%00', status: 400 },
    { target: '/admin%0a', status: 400 },
    { target: '/admin/', status: 401 },
  ])

  test('though it can be reached with the key', async () => {
    expect((await scene.get('/public/../admin', 'X-Api-Key: secret')).status).toBe(200)
    expect(targets()).toEqual(['/admin'])
  })
})

describe('a path that can be read in two ways is refused', () => {
  rows([
    { target: '/public/a%zz', status: 400 },
    { target: '/public/a%', status: 400 },
    { target: '/public/a%2', status: 400 },
    { target: '/public/%c3%28', status: 400 },
    { target: '/public/%c0%af', status: 400 },
    { target: '/public/a//b', status: 400 },
    { target: '/public/%7f', status: 400 },
    { target: '/public/a#fragment', status: 400 },
    { target: '/public/%u000a', status: 400 },
  ])
})

describe('a path has one spelling, and that one is forwarded', () => {
  rows([
    { target: '/public/a/./b/../c', status: 200, seen: '/public/a/c' },
    { target: '/public/%7Euser/%2dx', status: 200, seen: '/public/~user/-x' },
    { target: '/public/caf%c3%a9', status: 200, seen: '/public/caf%C3%A9' },
    { target: '/public/caf\xc3\xa9', status: 200, seen: '/public/caf%C3%A9' },
    { target: '/public/a%20b', status: 200, seen: '/public/a%20b' },
    { target: '/public/%2561', status: 200, seen: '/public/%2561' },
    { target: "/public/a:@!$&'()*+,;=b", status: 200, seen: "/public/a:@!$&'()*+,;=b" },
    { target: '/public/a/', status: 200, seen: '/public/a/' },
    { target: '/public/..', status: 404 },
    { target: '/public/...', status: 200, seen: '/public/...' },
    { target: '/%70ublic/x', status: 200, seen: '/public/x' },
  ])
})

describe('a prefix ends where a segment ends', () => {
  rows([
    { target: '/files/a/b', status: 200, seen: '/base/a/b' },
    { target: '/files/', status: 200, seen: '/base/' },
    { target: '/%66iles/a', status: 200, seen: '/base/a' },
    { target: '/filesx', status: 404 },
    { target: '/files../secret', status: 404 },
    { target: '/files%2f..%2fsecret', status: 400 },
    { target: '/files/../secret', status: 404 },
    { target: '/files/%2e%2e/secret', status: 404 },
    { target: '/files/a%20b/%C3%A9', status: 200, seen: '/base/a%20b/%C3%A9' },
  ])
})

describe('a value in a template stays in its place', () => {
  rows([
    { target: '/items/a%3Fb', status: 200, seen: '/base/v/a%3Fb/full?lang=' },
    { target: '/items/a%23b', status: 200, seen: '/base/v/a%23b/full?lang=' },
    { target: '/items/@evil.test', status: 200, seen: '/base/v/%40evil.test/full?lang=' },
    { target: '/items/%252e%252e', status: 200, seen: '/base/v/%252e%252e/full?lang=' },
    { target: '/items/x?lang=a%26b%3D1%23', status: 200, seen: '/base/v/x/full?lang=a%26b%3D1%23' },
    { target: '/items/x?lang=%0d%0aSet-Cookie:a', status: 200, seen: '/base/v/x/full?lang=%0D%0ASet-Cookie%3Aa' },
    { target: '/items/..', status: 404 },
    { target: '/items/%2e%2e', status: 404 },
    { target: '/items/a%2Fb', status: 400 },
    { target: '/items/%0d%0aSet-Cookie:a', status: 400 },
  ])
})

describe('a query is forwarded as it came', () => {
  rows([
    { target: '/public/q?a=1&a=2', status: 200, seen: '/public/q?a=1&a=2' },
    { target: '/public/q?a[]=1', status: 200, seen: '/public/q?a[]=1' },
    { target: '/public/q?a=%00', status: 200, seen: '/public/q?a=%00' },
    { target: '/public/q?;b', status: 200, seen: '/public/q?;b' },
    { target: '/public/q?', status: 200, seen: '/public/q?' },
    { target: '/public/q?x=%zz&y=%c3%28', status: 200, seen: '/public/q?x=%zz&y=%c3%28' },
    { target: '/public/q?../../admin//', status: 200, seen: '/public/q?../../admin//' },
  ])

  test('with 2,000 parameters, in their order', async () => {
    const query = Array.from({ length: 2_000 }, (_, i) => `k${i}=${i}`).join('&')
    const reply = await scene.get(`/public/q?${query}`)
    expect(reply.status).toBe(query.length + 60 > 16_384 ? 414 : 200)
    const shorter = query.slice(0, 16_000)
    expect((await scene.get(`/public/q?${shorter}`)).status).toBe(200)
    expect(targets().at(-1)).toBe(`/public/q?${shorter}`)
  })
})

describe('a method', () => {
  test('that no route of a known path has is refused with 405 and Allow', async () => {
    const [reply] = await scene.send('DELETE /items/1 HTTP/1.1\r\nHost: shop.test\r\n\r\n')
    expect([reply?.status, problemCode(reply), reply?.header('allow')]).toEqual([405, 'method-not-allowed', 'GET, PUT'])
  })

  test('is looked for only once a path is known', async () => {
    const [reply] = await scene.send('DELETE /nowhere HTTP/1.1\r\nHost: shop.test\r\n\r\n')
    expect([reply?.status, problemCode(reply)]).toEqual([404, 'route-not-found'])
  })

  for (const line of [
    'TRACE /public/x',
    'CONNECT shop.test:443',
    'CONNECT /public/x',
    'TRACK /public/x',
    'OPTIONS *',
    'BREW /public/x',
    'get /public/x',
  ]) {
    test(`that is not served never reaches an upstream: ${line}`, async () => {
      const replies = await scene.send(`${line} HTTP/1.1\r\nHost: shop.test\r\nCookie: sid=1\r\n\r\n`, {
        timeoutMs: 1_000,
      })
      expect(replies.map(({ status }) => status).filter((status) => ![400, 405, 501].includes(status))).toEqual([])
      expect(replies.map((reply) => reply.text()).join('')).not.toContain('sid=1')
      expect(targets()).toEqual([])
      expect((await scene.get('/public/after')).status).toBe(200)
    })
  }
})

describe('a line break in a value', () => {
  test('cannot add a field to a redirect', async () => {
    const reply = await scene.get('/old/1?q=a%0d%0aSet-Cookie:%20crlf=injection')
    expect(reply.status).toBe(302)
    expect(reply.header('location')).toBe('/new/1?q=a%0D%0ASet-Cookie%3A%20crlf%3Dinjection')
    expect(reply.header('set-cookie')).toBeUndefined()
  })

  test('cannot stand in a field the upstream is sent', async () => {
    const reply = await scene.get('/told/1?v=a%0d%0aX-Admin:%201')
    expect([reply.status, problemCode(reply)]).toEqual([400, 'invalid-request'])
    expect(targets()).toEqual([])
  })

  const folder = process.env.TEST_VECTORS
  if (folder) {
    test('cannot add a field, in any spelling of the public list', async () => {
      const lines = (await readFile(`${folder}/payload-lists/crlfinjection.txt`, 'utf8'))
        .split('\n')
        .filter((line) => line !== '')
      expect(lines.length).toBe(17)
      const answers: (readonly [string, number])[] = []
      for (const line of lines) {
        for (const target of [
          `/old${line.startsWith('/') ? line : `/${line}`}`,
          `/old/1?q=${line.slice(1)}`,
          `/told/1?v=${line.slice(1)}`,
        ]) {
          const reply = await scene.get(target)
          expect([target, reply.header('set-cookie')]).toEqual([target, undefined])
          answers.push([target, reply.status])
        }
      }
      expect(answers).toHaveLength(51)
      expect(answers.filter(([, status]) => ![200, 302, 400, 404].includes(status))).toEqual([])
      expect(scene.upstream.requests.slice(before).flatMap((seen) => seen.values('set-cookie'))).toEqual([])
    })
  }
})
