import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import type { RawStep } from '../support/raw-http.ts'
import { quickestRun, until } from '../support/real-time.ts'
import { OK, openScene, problemCode, type Scene, SERVICES } from './scene.ts'

/** Upstreams that refuse, break, hang or lie. The client gets a clear answer or a clean break, and the next one is served. */

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n'

const answers: Readonly<Record<string, readonly RawStep[]>> = {
  '/reset': ['reset'],
  '/close': ['close'],
  '/garbage': ['\x00\x01\x02 this is no HTTP\r\n\r\n', 'close'],
  '/http-0.9': ['hello, world', 'close'],
  '/half-head': ['HTTP/1.1 200 OK\r\nContent-', 'close'],
  '/101': ['HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n'],
  '/999': ['HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n'],
  '/status-0': ['HTTP/1.1 000 Zero\r\nContent-Length: 0\r\n\r\n'],
  '/two-lengths': [`${HEAD}Content-Length: 2\r\nContent-Length: 3\r\n\r\nok`],
  '/both-framings': [`${HEAD}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`],
  '/negative-length': [`${HEAD}Content-Length: -1\r\n\r\nok`],
  '/hang': ['hang'],
  '/hang-in-head': ['HTTP/1.1 200 OK\r\nContent-', 'hang'],
  '/cut': [`${HEAD}Content-Length: 100\r\n\r\n0123456789`, 'close'],
  '/cut-by-reset': [`${HEAD}Content-Length: 100\r\n\r\n0123456789`, 'reset'],
  '/cut-chunks': [`${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`, 'close'],
  '/cut-later': [`${HEAD}Content-Length: 200000\r\n\r\n${'a'.repeat(100_000)}`, { waitMs: 100 }, 'close'],
  '/cut-chunks-later': [`${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`, { waitMs: 100 }, 'reset'],
  '/bad-chunk-later': [`${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`, { waitMs: 100 }, 'zz\r\nworld\r\n0\r\n\r\n'],
  '/too-much': [`${HEAD}Content-Length: 2\r\n\r\nok`, 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison'],
  '/slow': [{ waitMs: 1_000 }, `${HEAD}Content-Length: 2\r\n\r\nok`],
} // biome-ignore format: one reply a line

/** Answers a TLS handshake with HTTP. */
const withoutTls = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response('plain') })

let scene: Scene
let before = 0

beforeAll(async () => {
  scene = await openScene({
    answer: ({ requestLine }) => answers[requestLine.split(' ')[1] ?? ''] ?? [`${HEAD}Content-Length: 2\r\n\r\nok`],
    config: (upstream) => ({
      version: 1,
      services: SERVICES,
      upstreams: {
        main: { url: upstream },
        hasty: { url: upstream, policies: [{ timeout: '1s' }] },
        refusing: { url: 'http://127.0.0.1:1' },
        unknown: { url: 'http://no-such-host.invalid' },
        plain: { url: `https://127.0.0.1:${withoutTls.port}` },
        stuck: { url: upstream, concurrency: 20 },
      },
      routes: {
        all: { path: '/*', upstream: 'main' },
        hasty: { path: '/hasty/*', upstream: { name: 'hasty', path: '/{params.*}' } },
        impatient: { path: '/impatient/*', timeout: '300ms', upstream: { name: 'main', path: '/{params.*}' } },
        refusing: { path: '/refusing', upstream: 'refusing' },
        unknown: { path: '/unknown', upstream: 'unknown' },
        plain: { path: '/plain-text', upstream: 'plain' },
        stuck: { path: '/stuck/*', timeout: '1500ms', upstream: { name: 'stuck', path: '/{params.*}' } },
      },
    }),
  })
})
afterAll(async () => {
  await scene.close()
  await withoutTls.stop(true)
})
beforeEach(() => {
  before = scene.records().length
})
afterEach(async () => {
  const next = await scene.get('/next')
  expect([next.status, next.text()]).toEqual([200, 'ok'])
  await scene.settled()
})

/** What the log says of the one call of the one request of a test. */
function call(): Record<string, unknown> | undefined {
  const [record] = scene.records().slice(before)
  const [first] = (record?.calls ?? []) as Record<string, unknown>[]
  return first
}

describe('an upstream that cannot be reached', () => {
  for (const [path, cause] of [
    ['/refusing', 'ECONNREFUSED'],
    ['/unknown', 'ENOTFOUND'],
    ['/plain-text', /SSL|TLS|EPROTO/],
  ] as const) {
    test(`is answered for with 502, and only the log says why: ${path}`, async () => {
      const reply = await scene.get(path)
      expect([reply.status, problemCode(reply)]).toEqual([502, 'upstream-unreachable'])
      expect(reply.text()).not.toMatch(/127\.0\.0\.1|invalid|refused|ECONN|SSL|TLS/i)
      expect(String(call()?.cause)).toMatch(cause)
      expect(call()?.failure).toBe('upstream-unreachable')
    })
  }
})

describe('an upstream that sends no reply a client could read', () => {
  for (const [path, codes] of [
    ['/reset', ['upstream-unreachable']],
    ['/close', ['upstream-unreachable']],
    ['/garbage', ['upstream-invalid-response', 'upstream-unreachable']],
    ['/http-0.9', ['upstream-invalid-response', 'upstream-unreachable']],
    ['/half-head', ['upstream-invalid-response', 'upstream-unreachable']],
    ['/101', ['upstream-invalid-response']],
    ['/999', ['upstream-invalid-response']],
    ['/status-0', ['upstream-invalid-response']],
    ['/two-lengths', ['upstream-invalid-response']],
    ['/both-framings', ['upstream-invalid-response']],
    ['/negative-length', ['upstream-invalid-response']],
  ] as const) {
    test(`is answered for with 502: ${path}`, async () => {
      const reply = await scene.get(path)
      expect(reply.status).toBe(502)
      expect(codes as readonly (string | undefined)[]).toContain(problemCode(reply))
      expect(call()?.failure).toBe(problemCode(reply))
    })
  }
})

describe('an upstream that breaks off its body', () => {
  for (const path of ['/cut', '/cut-by-reset', '/cut-chunks', '/cut-later', '/cut-chunks-later', '/bad-chunk-later']) {
    test(`never makes a reply that looks complete: ${path}`, async () => {
      const reply = await scene.get(path)
      if (reply.status === 200) expect([reply.complete, reply.closed]).toEqual([false, true])
      else expect([reply.status, problemCode(reply)]).toEqual([502, 'upstream-invalid-response'])
    })
  }
})

test('an upstream that sends more than its Content-Length cannot answer the next request with it', async () => {
  const replies = await Promise.all(Array.from({ length: 5 }, () => scene.get('/too-much')))
  expect(replies.map((reply) => reply.text())).toEqual(['ok', 'ok', 'ok', 'ok', 'ok'])
  for (let i = 0; i < 10; i++) expect((await scene.get('/next')).text()).toBe('ok')
})

describe('an upstream that hangs', () => {
  async function expectLeft(path: string): Promise<void> {
    const seen = scene.upstream.requests.length
    const reply = await scene.get(path)
    expect([reply.status, problemCode(reply)]).toEqual([504, 'upstream-timeout'])
    await untilClosed(scene.upstream.requests[seen]?.connectionClosed)
  }

  for (const path of ['/hasty/hang', '/hasty/hang-in-head', '/hasty/slow']) {
    test(`is answered for with 504 after the timeout of the call, and left: ${path}`, async () => {
      const tookMs = await quickestRun(1_400, () => expectLeft(path), 5)
      expect(tookMs).toBeGreaterThanOrEqual(950)
      expect(tookMs).toBeLessThanOrEqual(1_400)
    })
  }

  test('is answered for with 504 after the deadline of the route, and left', async () => {
    expect(await quickestRun(700, () => expectLeft('/impatient/hang'), 5)).toBeLessThanOrEqual(700)
  })

  test('is waited for where nothing bounds the call', async () => {
    const reply = await scene.get('/slow')
    expect([reply.status, reply.text()]).toEqual([200, 'ok'])
  })

  test('does not use up what other upstreams need: the excess gets 503 at once', async () => {
    const stuck = Promise.all(Array.from({ length: 100 }, () => scene.get('/stuck/hang')))
    await until(
      'twenty calls waiting',
      () => scene.upstream.requests.filter(({ requestLine }) => requestLine.includes('/hang ')).length >= 20,
    )
    const served = async () => expect((await scene.get('/healthy')).status).toBe(200)
    for (let i = 0; i < 50; i++) expect(await quickestRun(500, served)).toBeLessThanOrEqual(500)
    const replies = await stuck
    const byStatus = Object.groupBy(replies, ({ status }) => status)
    expect(byStatus[503]?.map(problemCode)).toEqual(Array(80).fill('overloaded'))
    expect(byStatus[503]?.every((reply) => Number(reply.header('retry-after')) >= 1)).toBe(true)
    expect(byStatus[504]).toHaveLength(20)
  })
})

test('an upstream that hangs in the middle of its body does not hang the gateway, and is left when the client goes', async () => {
  const middle = await openScene({ answer: [`${HEAD}Content-Length: 100\r\n\r\n0123456789`, 'hang'] })
  const leave = new AbortController()
  const [reply] = await middle.send('GET /x HTTP/1.1\r\nHost: shop.test\r\n\r\n', {
    signal: leave.signal,
    onData: (bytes) => new TextDecoder().decode(bytes).includes('0123456789') && setTimeout(() => leave.abort()),
  })
  expect([reply?.status, reply?.complete]).toEqual([200, false])
  await untilClosed(middle.upstream.requests[0]?.connectionClosed)
  await middle.settled()
  await middle.close()
})

test.each(['PUT', 'DELETE', 'POST'])(
  'a %s on a kept connection that dies is not sent again behind the gateway’s back',
  async (method) => {
    const forgetful = await openScene({
      answer: ({ requestLine }) => (requestLine.includes('/warm') ? [OK] : ['close']),
    })
    expect((await forgetful.get('/warm')).status).toBe(200)
    const [reply] = await forgetful.send(`${method} /work HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 0\r\n\r\n`)
    expect([reply?.status, problemCode(reply)]).toEqual([502, 'upstream-unreachable'])
    expect(forgetful.upstream.requests.filter(({ requestLine }) => requestLine.includes('/work'))).toHaveLength(1)
    await forgetful.close()
  },
)

async function untilClosed(connection: Promise<void> | undefined): Promise<void> {
  expect(connection).toBeDefined()
  let closed = false
  void connection?.then(() => {
    closed = true
  })
  await until('the upstream connection closed', () => closed)
}
