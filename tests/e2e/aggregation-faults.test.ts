import { afterAll, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RawStep } from '../support/raw-http.ts'
import { quickest, until } from '../support/real-time.ts'
import { malformedReplies } from './malformed-replies.ts'
import { openScene, problemCode, SERVICES } from './scene.ts'

/** The faults of upstreams that an aggregate must bear, one row each, over bare sockets. */

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n'
const reply = (body: string, head = HEAD): RawStep[] => [
  `${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
]
const typed = (type: string, body: string) =>
  reply(body, `HTTP/1.1 200 OK\r\n${type === '' ? '' : `Content-Type: ${type}\r\n`}`)
const POLLUTED = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":1}'
const SECRET = '/never-asked'

/** By path; numbers are the malformed replies. */
const REPLIES: Readonly<Record<string, readonly RawStep[]>> = {
  '/one': reply('{"n":1}'),
  '/two': reply('{"n":2}'),
  '/slow': [{ waitMs: 40 }, ...reply('{"n":"slow"}')],
  '/missing': ['HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone'],
  '/hang': ['hang'],
  '/polluted': reply(POLLUTED),
  '/lies-html': typed('text/html', '{"n":1}'),
  '/lies-charset': typed('application/json; charset=utf-16', '{"n":1}'),
  '/lies-bytes': [
    'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n',
    Uint8Array.of(34, 0xff, 34),
  ],
  '/lies-empty': typed('application/json', ''),
  '/no-type': typed('', '{"n":1}'),
}

/** Where a `Location` could lead a gateway that follows it. */
const LOCATIONS = [
  'http://127.0.0.1:1/',
  'file:///etc/passwd',
  '//169.254.169.254/',
  'gopher://x/',
  SECRET,
  'http://[::1]:1/',
]

const scene = await openScene({
  answer: ({ requestLine }) => {
    const path = requestLine.split(' ')[1] ?? ''
    const [, kind, number = ''] = /^\/(malformed|moved)\/(\d+)$/.exec(path) ?? []
    if (kind === 'malformed') return [malformedReplies[Number(number)]?.bytes ?? '', 'close']
    if (kind === 'moved')
      return [`HTTP/1.1 302 Found\r\nLocation: ${LOCATIONS[Number(number)]}\r\nContent-Length: 0\r\n\r\n`]
    return REPLIES[path.split('?')[0] ?? ''] ?? ['close']
  },
  config: (upstream) => {
    const part = (path: string, more: object = {}) => ({ upstream: 'main', path, ...more })
    const route = (name: string, parts: object, settings: object = {}) => [
      name,
      { path: `/${name}`, policies: [{ aggregate: { parts, ...settings } }] },
    ]
    const spread = { spread: true }
    return {
      version: 1,
      services: SERVICES,
      upstreams: { main: { url: upstream } },
      routes: {
        ...Object.fromEntries([
          route('timed', { first: part('/one'), second: part('/hang') }, { timeout: '100ms' }),
          route('detail', { a: part('/one', spread), b: part('/missing') }),
          route('all-fail', { a: part('/missing'), b: part('/closed') }),
          route('all-hang', { a: part('/hang'), b: part('/hang') }, { timeout: '50ms' }),
          route('sequential', { second: part('/{parts.first.body.next}'), first: part('/first') }),
          route('polluted', { a: part('/polluted'), b: part('/one?x={parts.a.body.toString}') }),
          route('same-first', { a: part('/slow', spread), b: part('/two', spread) }, { 'on-conflict': 'first' }),
          route('same-last', { a: part('/slow', spread), b: part('/two', spread) }, { 'on-conflict': 'last' }),
          route('same-error', { a: part('/slow', spread), b: part('/two', spread) }),
          route('leaving', { a: part('/hang'), b: part('/hang'), c: part('/hang') }),
        ]),
        asked: {
          path: '/asked/:path',
          policies: [{ aggregate: { parts: { a: part('/{params.path}'), fine: part('/one') } } }],
        },
        malformed: {
          path: '/malformed/:n',
          policies: [{ aggregate: { parts: { a: part('/malformed/{params.n}'), fine: part('/one') } } }],
        },
        moved: {
          path: '/moved/:n',
          policies: [{ aggregate: { parts: { a: part('/moved/{params.n}'), fine: part('/one') } } }],
        },
      },
    }
  },
})
afterAll(() => scene.close())

const ask = async (path: string) => {
  const answer = await scene.get(path)
  const composition = answer.header('composition-status')?.replace(/;dur=\d+/g, '')
  return {
    status: answer.status,
    text: answer.text(),
    complete: answer.header('composition-complete'),
    composition,
    answer,
  }
}

describe('an aggregate over bare sockets', () => {
  test('AGG-01: a part slower than the whole is left out, within 20 ms of the end of the time', async () => {
    const measure = async () => {
      const startedAt = performance.now()
      const { status, text, complete, composition, answer } = await ask('/timed')
      const tookMs = performance.now() - startedAt
      expect([status, text, complete]).toEqual([200, '{"first":{"n":1}}', '?0'])
      expect([composition, answer.header('cache-control')]).toEqual([
        'first;ok, second;failed;error="timeout"',
        'no-store',
      ])
      return tookMs
    }
    const tookMs = await quickest(120, measure, 20)
    expect(tookMs).toBeGreaterThanOrEqual(95)
    expect(tookMs).toBeLessThanOrEqual(120)
  })

  test('AGG-02: a backend that answers 404 is named with its status, and nothing of its body is shown', async () => {
    const { status, text, complete, composition } = await ask('/detail')
    expect([status, text, complete]).toEqual([200, '{"n":1}', '?0'])
    expect(composition).toBe('a;ok, b;failed;error="status";status=404')
  })

  test('AGG-03: no part at all is 502 or 504, never an empty document', async () => {
    const failed = await ask('/all-fail')
    expect([failed.status, problemCode(failed.answer), failed.complete]).toEqual([
      502,
      'upstream-invalid-response',
      '?0',
    ])
    const hung = await ask('/all-hang')
    expect([hung.status, problemCode(hung.answer), hung.complete]).toEqual([504, 'upstream-timeout', '?0'])
  })

  test('AGG-04: what one part says is asked for by the next', async () => {
    const { composition } = await ask('/sequential')
    expect(composition).toBe('second;failed;error="input", first;failed;error="unreachable"')
    expect(requestedOf('/undefined')).toHaveLength(0)
  })

  test('AGG-08: keys that mean something to JavaScript are keys', async () => {
    const { text, complete } = await ask('/polluted')
    expect([text, complete]).toEqual([`{"a":${POLLUTED},"b":{"n":1}}`, '?1'])
    expect(requestedOf('/one?x=1')).toHaveLength(1)
    expect(({} as { readonly polluted?: unknown }).polluted).toBeUndefined()
    expect((await ask('/detail')).text).toBe('{"n":1}')
  })

  test('AGG-09: of a name that two parts bring, the file says which counts, a hundred times', async () => {
    const answers = { '/same-first': '{"n":"slow"}', '/same-last': '{"n":2}', '/same-error': '{"n":"slow"}' }
    for (const [path, text] of Object.entries(answers)) {
      const seen = await Promise.all(Array.from({ length: 100 }, async () => (await ask(path)).text))
      expect([...new Set(seen)]).toEqual([text])
    }
    expect((await ask('/same-error')).composition).toBe('a;ok, b;failed;error="conflict"')
  })

  for (const [n, { name }] of malformedReplies.entries()) {
    test(`AGG-17: ${name} is no reply`, async () => {
      const { status, text, composition } = await ask(`/malformed/${n}`)
      expect([status, text]).toEqual([200, '{"fine":{"n":1}}'])
      expect(composition).toMatch(/^a;failed;error="(?:invalid-response|unreachable|timeout|status)"/)
    })
  }

  test.each([...LOCATIONS.entries()])('AGG-18: a redirect is never followed: %#', async (n) => {
    const { text, composition, answer } = await ask(`/moved/${n}`)
    expect(text).toBe('{"fine":{"n":1}}')
    expect(composition).toBe('a;failed;error="status";status=302, fine;ok')
    expect(answer.header('location')).toBeUndefined()
    expect(requestedOf(SECRET)).toHaveLength(0)
  })

  test('AGG-20: a client that leaves ends every call within 100 ms', async () => {
    const measure = async () => {
      const before = requestedOf('/hang').length
      const client = new AbortController()
      const answer = fetch(`${scene.url}/leaving`, { signal: client.signal }).catch(() => 'left')
      await until('every part is asked', () => requestedOf('/hang').length === before + 3)
      const closed = requestedOf('/hang')
        .slice(before)
        .map(({ connectionClosed }) => connectionClosed)
      const leftAt = performance.now()
      client.abort()
      await Promise.all(closed)
      const tookMs = performance.now() - leftAt
      expect(await answer).toBe('left')
      return tookMs
    }
    expect(await quickest(100, measure, 20)).toBeLessThanOrEqual(100)
  })

  test.each(['/lies-html', '/lies-charset', '/lies-bytes', '/lies-empty', '/no-type'])(
    'AGG-21: a content type that is not true fails its part: %s',
    async (path) => {
      const { text, composition } = await ask(`/asked${path}`)
      expect([text, composition]).toEqual(['{"fine":{"n":1}}', 'a;failed;error="invalid-response", fine;ok'])
    },
  )
})

/** Rows that have a test elsewhere, by its name. */
const ELSEWHERE: readonly (readonly [row: string, file: string, title: string])[] = [
  ['AGG-04: with a value', 'tests/e2e/coming-from-krakend.test.ts', '`"sequential": true`, `{resp0_user.id}`'],
  [
    'AGG-06: texts of a JSON test suite',
    'policies/aggregate/json-cases.test.ts',
    'The kinds of texts a JSON test suite has',
  ],
  ['AGG-11: a gzip bomb', 'policies/aggregate/gzip-bomb.bun.test.ts', 'is not inflated beyond the limit'],
  ['AGG-11: br, zstd, chains', 'policies/aggregate/replies.test.ts', "'br', 'zstd', 'gzip, gzip'"],
  ['AGG-13: cut by FIN', 'policies/aggregate/real-upstreams.bun.test.ts', 'ends before its length'],
  ['AGG-13: cut by RST', 'policies/aggregate/real-upstreams.bun.test.ts', 'resets before its length'],
  ['AGG-13: no last chunk', 'policies/aggregate/real-upstreams.bun.test.ts', 'ends without the last chunk'],
  ['AGG-15: 101', 'policies/aggregate/real-upstreams.bun.test.ts', 'answers 101 though nobody asked'],
  ['AGG-15: 103', 'policies/aggregate/real-upstreams.bun.test.ts', 'is read after an early hint'],
  ['AGG-15: 204 with a length', 'policies/aggregate/real-upstreams.bun.test.ts', 'answers 204 with a length'],
  ['AGG-15: 304', 'policies/aggregate/real-upstreams.bun.test.ts', 'answers 304 though nobody asked'],
  ['AGG-15: 999', 'policies/aggregate/real-upstreams.bun.test.ts', 'answers 999'],
  ['AGG-15: HTTP/0.9', 'policies/aggregate/real-upstreams.bun.test.ts', 'answers as HTTP/0.9 does'],
]

test.each(ELSEWHERE)('%s is tested elsewhere', (_, file, title) => {
  expect(readFileSync(join(import.meta.dir, '../..', file), 'utf8')).toContain(title)
})

function requestedOf(target: string) {
  return scene.upstream.requests.filter(({ requestLine }) => requestLine.split(' ')[1] === target)
}
