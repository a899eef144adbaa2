import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import type { RawStep } from '../support/raw-http.ts'
import { quickest, quickestRun, until } from '../support/real-time.ts'
import { OK, openScene, problemCode, type Scene, SERVICES } from './scene.ts'

/** Clients that send too much, too slowly, or leave. Nothing hangs, nothing stays open, the next one is served. */

const LIMIT = 1_048_576

let scene: Scene
let before = 0

beforeAll(async () => {
  scene = await openScene({
    answer: ({ requestLine }): readonly RawStep[] => {
      if (requestLine.includes('/hang')) return ['hang']
      if (requestLine.includes('/endless'))
        return ['HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 1000000000\r\n\r\nfirst', 'hang']
      return [OK]
    },
    config: (upstream) => ({
      version: 1,
      server: { limits: { body: '1MiB' } },
      services: SERVICES,
      upstreams: {
        main: { url: upstream },
        guarded: { url: upstream, policies: [{ 'circuit-breaker': { 'minimum-calls': 2 } }] },
      },
      routes: {
        all: { path: '/*', upstream: 'main' },
        small: { path: '/small', body: '10B', upstream: 'main' },
        patient: { path: '/patient/*', timeout: '600ms', upstream: { name: 'guarded', path: '/{params.*}' } },
        json: { path: '/json', timeout: '600ms', policies: [{ redirect: { to: '/items/{body.id}' } }] },
      },
    }),
  })
})
afterAll(() => scene.close())
beforeEach(() => {
  before = scene.upstream.requests.length
})
afterEach(async () => {
  const next = await scene.get('/next')
  expect([next.status, next.text()]).toEqual([200, 'ok'])
  await scene.settled()
})

const forwarded = () => scene.upstream.requests.slice(before)

function chunked(path: string, size: number, count: number): (string | Uint8Array)[] {
  const chunk = new Uint8Array(size).fill(97)
  const frames = Array.from({ length: count }, () => [`${size.toString(16)}\r\n`, chunk, '\r\n']).flat()
  return [`POST ${path} HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n`, ...frames, '0\r\n\r\n']
}

describe('a body over the limit', () => {
  test('that says so is refused with 413 before the upstream is called', async () => {
    const [reply] = await scene.send(
      `POST /x HTTP/1.1\r\nHost: shop.test\r\nContent-Length: ${2 * LIMIT}\r\n\r\nhello`,
      { waitForClose: true },
    )
    expect([reply?.status, problemCode(reply), reply?.closed]).toEqual([413, 'body-too-large', true])
    expect(forwarded()).toEqual([])
  })

  test('that does not say so is refused with 413, and the upstream sees no more than the limit', async () => {
    const connections = scene.upstream.received.length
    const [reply] = await scene.send(chunked('/x', 65_536, 32), { timeoutMs: 10_000 })
    expect([reply?.status, problemCode(reply)]).toEqual([413, 'body-too-large'])
    const received = scene.upstream.received.slice(Math.max(0, connections - 1)).map((bytes) => bytes.length)
    expect(Math.max(...received)).toBeLessThanOrEqual(LIMIT + 4_096)
    expect(forwarded()).toEqual([])
    expect(scene.records().at(-1)?.failure).toBe('body-too-large')
  })

  test('is refused in chunks of one byte too', async () => {
    const [reply] = await scene.send(chunked('/small', 1, 11))
    expect([reply?.status, problemCode(reply)]).toEqual([413, 'body-too-large'])
    expect(forwarded()).toEqual([])
  })

  test('is accepted at exactly the limit', async () => {
    const [exact] = await scene.send(chunked('/small', 1, 10))
    expect(exact?.status).toBe(200)
    expect(forwarded()[0]?.body.length).toBe(10)
    const [declared] = await scene.send(
      'POST /small HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 10\r\n\r\n0123456789',
    )
    expect(declared?.status).toBe(200)
  })

  test('is refused where a policy reads it, with and without a length', async () => {
    const [declared] = await scene.send(
      `POST /json HTTP/1.1\r\nHost: shop.test\r\nContent-Length: ${2 * LIMIT}\r\n\r\n{`,
    )
    expect([declared?.status, problemCode(declared)]).toEqual([413, 'body-too-large'])
    const [streamed] = await scene.send(chunked('/json', 65_536, 32), { timeoutMs: 10_000 })
    expect([streamed?.status, problemCode(streamed)]).toEqual([413, 'body-too-large'])
  })

  test('is not made of what follows a shorter Content-Length', async () => {
    const replies = await scene.send(
      'POST /x HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 10\r\n\r\n0123456789and more',
      { timeoutMs: 1_000, waitForClose: true },
    )
    expect(
      forwarded()
        .map(({ body }) => body.length)
        .filter((length) => length !== 10),
    ).toEqual([])
    expect(replies.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(1)
  })

  test('is answered when the upstream answers early', async () => {
    const early = await openScene({
      answer: ['HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nno', 'close'],
    })
    const [reply] = await early.send([
      `POST /x HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 1000\r\n\r\n${'a'.repeat(1_000)}`,
    ])
    expect(reply?.status).toBe(403)
    await early.settled()
    await early.close()
  })
})

describe('JSON that is meant to hurt', () => {
  const hostile: readonly (readonly [string, string, number])[] = [
    ['100,000 open brackets', '['.repeat(100_000), 400],
    ['brackets a thousand deep, closed', '['.repeat(1_000) + ']'.repeat(1_000), 400],
    ['not JSON', '{"id": 1', 400],
    ['invalid UTF-8', '{"id": "\xff\xfe"}', 400],
    ['a number of 900,000 digits', `{"id": ${'1'.repeat(900_000)}}`, 302],
    ['80,000 keys', `{${Array.from({ length: 80_000 }, (_, i) => `"k${i}":0`).join(',')},"id":1}`, 302],
    ['keys of the prototype', '{"__proto__": {"id": 7}, "constructor": {"prototype": {"id": 7}}}', 400],
  ]
  for (const [name, body, status] of hostile) {
    test(`is answered quickly and does not hold others up: ${name}`, async () => {
      const tookMs = await quickestRun(1_000, async () => {
        const [[reply], other] = await Promise.all([
          scene.send(`POST /json HTTP/1.1\r\nHost: shop.test\r\nContent-Length: ${body.length}\r\n\r\n${body}`),
          scene.get('/other'),
        ])
        expect([reply?.status, other.status]).toEqual([status, 200])
      })
      expect(tookMs).toBeLessThanOrEqual(1_000)
      expect(({} as { id?: unknown }).id).toBeUndefined()
    })
  }
})

describe('a client that sends slowly', () => {
  test('gets 408 when its body does not come, and the upstream is not blamed', async () => {
    for (let i = 0; i < 4; i++) {
      const [reply] = await scene.send(
        ['POST /patient/slow HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 10\r\n\r\nhello', 3_000, 'world'],
        { timeoutMs: 2_500 },
      )
      expect([reply?.status, problemCode(reply)]).toEqual([408, 'request-timeout'])
    }
    expect((await scene.get('/patient/well')).status).toBe(200)
    expect(scene.records().at(-1)?.calls).toMatchObject([{ breaker: 'closed' }])
  })

  test('gets 408 when a policy waits for its body', async () => {
    const [reply] = await scene.send(
      ['POST /json HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 10\r\n\r\n{"id"', 3_000, ': 1}'],
      { timeoutMs: 2_500 },
    )
    expect([reply?.status, problemCode(reply)]).toEqual([408, 'request-timeout'])
  })

  test('is served when it makes it in time', async () => {
    const [reply] = await scene.send([
      'POST /x HTTP/1.1\r\nHost: shop.',
      50,
      'test\r\nContent-',
      50,
      'Length: 10\r\n\r\nhello',
      50,
      'world',
    ])
    expect(reply?.status).toBe(200)
    expect(new TextDecoder().decode(forwarded()[0]?.body)).toBe('helloworld')
  })

  test('with half a head is closed after a while, hundreds at once, while others are served', async () => {
    const startedAt = Date.now()
    const slow = Promise.all(
      Array.from({ length: 300 }, () =>
        scene
          .send('GET /slow HTTP/1.1\r\nHost: shop.test\r\nX-Half: ', { waitForClose: true, timeoutMs: 60_000 })
          .then(() => Date.now() - startedAt),
      ),
    )
    const served = async () => expect((await scene.get('/others')).status).toBe(200)
    for (let i = 0; i < 50; i++) expect(await quickestRun(250, served)).toBeLessThanOrEqual(250)
    const closedAfterMs = await slow
    expect(Math.max(...closedAfterMs)).toBeLessThan(50_000)
    expect(forwarded().filter(({ requestLine }) => requestLine.includes('/slow'))).toEqual([])
  }, 90_000)
})

describe('a client that leaves', () => {
  /** Sends, leaves when `when` holds, and tells how long the upstream connection outlived that, in milliseconds. */
  async function leaveWhen(input: string, when: () => boolean) {
    const leave = new AbortController()
    const sending = scene.send(input, { signal: leave.signal, timeoutMs: 10_000 })
    await until('the upstream to be busy', when)
    const open = forwarded().at(-1)
    leave.abort()
    const leftAt = Date.now()
    await sending
    let closed = false
    void open?.connectionClosed.then(() => {
      closed = true
    })
    await until('the upstream connection closed', () => closed)
    return Date.now() - leftAt
  }

  test('before the head of the reply takes the call to the upstream with it', async () => {
    const measure = () => {
      const asked = forwarded().length
      return leaveWhen('GET /hang HTTP/1.1\r\nHost: shop.test\r\n\r\n', () => forwarded().length > asked)
    }
    expect(await quickest(500, measure)).toBeLessThanOrEqual(500)
    await until('the log line', () => scene.records().at(-1)?.failure === 'client-gone')
    expect(scene.records().at(-1)).toMatchObject({ status: 499, calls: [{ failure: 'client-gone' }] })
  })

  test('in the middle of the reply takes the upstream connection with it', async () => {
    const begun = () => scene.records().filter(({ path }) => path === '/endless').length
    const measure = () => {
      const before = begun()
      return leaveWhen('GET /endless HTTP/1.1\r\nHost: shop.test\r\n\r\n', () => begun() > before)
    }
    expect(await quickest(500, measure)).toBeLessThanOrEqual(500)
  })

  test('in the middle of its own body is no error of the gateway or the upstream', async () => {
    const leave = new AbortController()
    const connections = scene.upstream.received.length
    const errors = scene.lines.filter(({ level }) => level === 'error').length
    const sending = scene.send(
      'POST /patient/upload HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 1000\r\n\r\nhello',
      { signal: leave.signal },
    )
    await until('the upload to have reached the upstream', () =>
      scene.upstream.received
        .slice(Math.max(0, connections - 1))
        .some((bytes) => new TextDecoder().decode(bytes).includes('/upload')),
    )
    leave.abort()
    await sending
    await until('the log line', () =>
      scene.records().some(({ path, status }) => path === '/patient/upload' && status === 499),
    )
    expect(scene.lines.filter(({ level }) => level === 'error')).toHaveLength(errors)
    expect((await scene.get('/patient/well')).status).toBe(200)
    expect(scene.records().at(-1)?.calls).toMatchObject([{ breaker: 'closed' }])
  })

  test('while a policy reads its body is no error of the gateway', async () => {
    const leave = new AbortController()
    const lines = scene.records().length
    const errors = scene.lines.filter(({ level }) => level === 'error').length
    const sending = scene.send('POST /json HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 1000\r\n\r\n{"id":', {
      signal: leave.signal,
    })
    await until('the request to be taken', async () => (await scene.inFlight()) === 1)
    leave.abort()
    await sending
    await until('the log line', () => scene.records().length > lines)
    expect(scene.records().at(-1)).toMatchObject({ status: 499, failure: 'client-gone' })
    expect(scene.lines.filter(({ level }) => level === 'error')).toHaveLength(errors)
  })

  test('at any moment leaves nothing behind, two hundred times', async () => {
    await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        const leave = new AbortController()
        setTimeout(() => leave.abort(), i % 40)
        await scene.send(`GET /${i % 2 ? 'endless' : 'hang'} HTTP/1.1\r\nHost: shop.test\r\n\r\n`, {
          signal: leave.signal,
        })
      }),
    )
    await scene.settled()
    await until('no busy connection to the upstream', () => scene.upstream.open() <= 5)
  })
})
