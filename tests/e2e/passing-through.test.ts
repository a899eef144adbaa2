import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { type RawStep, type RawUpstream, rawRequest } from '../support/raw-http.ts'
import { until } from '../support/real-time.ts'
import { openScene, type Scene, simpleConfig } from './scene.ts'

/** What must arrive as it was sent, in both directions. */

const GZIP = gzipSync('hello '.repeat(1_000))
const BOMB = gzipSync(new Uint8Array(20_000_000))

function reply(status: string, fields: readonly string[], body: string | Uint8Array = ''): RawStep[] {
  return [`HTTP/1.1 ${[status, ...fields].join('\r\n')}\r\nContent-Length: ${body.length}\r\n\r\n`, body]
}

const answers: Readonly<Record<string, readonly RawStep[]>> = {
  '/gzip': reply('200 OK', ['Content-Type: text/plain', 'Content-Encoding: gzip', 'Vary: Accept-Encoding'], GZIP),
  '/bomb': reply('200 OK', ['Content-Type: text/plain', 'Content-Encoding: gzip'], BOMB),
  '/unknown-coding': reply('200 OK', ['Content-Type: text/plain', 'Content-Encoding: x-nonsense'], 'not touched'),
  '/cookies': reply('200 OK', ['Set-Cookie: b=2; Path=/; Expires=Sun, 06 Nov 1994 08:49:37 GMT', 'Set-Cookie: a=1'], 'ok'),
  '/head': ['HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1234\r\nETag: "x"\r\n\r\n'],
  '/204': ['HTTP/1.1 204 No Content\r\nX-Kept: 1\r\n\r\n'],
  '/204-with-length': ['HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello'],
  '/304': ['HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nCache-Control: max-age=60\r\n\r\n'],
  '/206': reply('206 Partial Content', ['Content-Type: text/plain', 'Content-Range: bytes 2-5/10', 'Accept-Ranges: bytes'], '2345'),
  '/416': reply('416 Range Not Satisfiable', ['Content-Range: bytes */10']),
  '/302': reply('302 Found', ['Location: http://10.0.0.1:1/internal'], 'moved'),
  '/file': reply('307 Temporary Redirect', ['Location: file:///etc/passwd']),
  '/hop': reply('200 OK', ['Connection: close, X-Hop', 'X-Hop: 1', 'Keep-Alive: timeout=5', 'Proxy-Authenticate: Basic', 'Trailer: X-T', 'Upgrade: h2c', 'X-Kept: 1'], 'ok'),
  '/named-length': reply('200 OK', ['Connection: Content-Length, Set-Cookie', 'Set-Cookie: a=1'], 'ok'),
  '/early-hints': ['HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n', ...reply('200 OK', ['Content-Type: text/plain'], 'ok')],
  '/chunked': ['HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', '6;x=y\r\n world\r\n0\r\nX-T: 1\r\n\r\n'],
  '/dated': reply('200 OK', ['Date: Sun, 06 Nov 1994 08:49:37 GMT', 'Server: shop/1', 'Cache-Control: no-store', 'X-Empty:'], 'ok'),
  ...Object.fromEntries([200, 201, 207, 226, 300, 400, 404, 418, 451, 500, 503, 599].map((status) => [`/status/${status}`, reply(`${status} Any`, [], 'body')])),
} // biome-ignore format: one reply a line

let scene: Scene
let before = 0

beforeAll(async () => {
  scene = await openScene({
    answer: ({ requestLine }) =>
      answers[requestLine.split(' ')[1] ?? ''] ?? reply('200 OK', ['Content-Type: text/plain'], 'ok'),
    config: (upstream) => simpleConfig(upstream, { server: { limits: { body: '64MiB' } } }),
  })
})
afterAll(async () => {
  await scene.settled()
  await scene.close()
})
beforeEach(() => {
  before = scene.upstream.requests.length
})

describe('a reply', () => {
  test('keeps its compressed bytes', async () => {
    const compressed = await scene.get('/gzip', 'Accept-Encoding: gzip')
    expect(compressed.header('content-encoding')).toBe('gzip')
    expect(Buffer.from(compressed.body).equals(GZIP)).toBe(true)
    expect((await scene.get('/unknown-coding')).text()).toBe('not touched')
  })

  test('is never inflated, however small a bomb is', async () => {
    const compressed = await scene.get('/bomb')
    expect(Buffer.from(compressed.body).equals(BOMB)).toBe(true)
  })

  test('keeps each Set-Cookie on a line of its own, in order', async () => {
    const { headers } = await scene.get('/cookies')
    const cookies = headers.filter(([name]) => name.toLowerCase() === 'set-cookie').map(([, value]) => value)
    expect(cookies).toEqual(['b=2; Path=/; Expires=Sun, 06 Nov 1994 08:49:37 GMT', 'a=1'])
  })

  test('to HEAD keeps its Content-Length and has no body', async () => {
    const [head] = await scene.send('HEAD /head HTTP/1.1\r\nHost: shop.test\r\n\r\n', { head: true })
    expect([head?.status, head?.header('content-length'), head?.header('etag'), head?.body.length]).toEqual([
      200,
      '1234',
      '"x"',
      0,
    ])
    expect(scene.upstream.requests.at(-1)?.requestLine).toBe('HEAD /head HTTP/1.1')
  })

  test('of 204 has neither body nor length', async () => {
    const plain = await scene.get('/204')
    expect([
      plain.status,
      plain.header('x-kept'),
      plain.header('content-length'),
      plain.header('transfer-encoding'),
    ]).toEqual([204, '1', undefined, undefined])
    const wrong = await scene.get('/204-with-length')
    expect([wrong.status, wrong.header('content-length'), wrong.body.length]).toEqual([204, undefined, 0])
    expect((await scene.get('/status/200')).text()).toBe('body')
  })

  test('of 304 keeps its validators', async () => {
    const unchanged = await scene.get('/304', 'If-None-Match: "x"')
    expect([
      unchanged.status,
      unchanged.header('etag'),
      unchanged.header('cache-control'),
      unchanged.body.length,
    ]).toEqual([304, '"x"', 'max-age=60', 0])
    expect(scene.upstream.requests.at(-1)?.values('if-none-match')).toEqual(['"x"'])
  })

  test('to a range request stays partial', async () => {
    const part = await scene.get('/206', 'Range: bytes=2-5', 'If-Range: "x"')
    expect([part.status, part.header('content-range'), part.text()]).toEqual([206, 'bytes 2-5/10', '2345'])
    expect(scene.upstream.requests.at(-1)?.values('range')).toEqual(['bytes=2-5'])
    expect((await scene.get('/416', 'Range: bytes=20-')).status).toBe(416)
  })

  test('that redirects is passed on and not followed', async () => {
    const found = await scene.get('/302')
    expect([found.status, found.header('location'), found.text()]).toEqual([302, 'http://10.0.0.1:1/internal', 'moved'])
    expect((await scene.get('/file')).header('location')).toBe('file:///etc/passwd')
    expect(scene.upstream.requests).toHaveLength(before + 2)
  })

  test('loses the fields of its connection and no other', async () => {
    const cleaned = await scene.get('/hop')
    const gone = ['x-hop', 'keep-alive', 'proxy-authenticate', 'trailer', 'upgrade', 'connection']
    expect(gone.filter((name) => cleaned.header(name) !== undefined)).toEqual([])
    expect([cleaned.header('x-kept'), cleaned.text(), cleaned.closed]).toEqual(['1', 'ok', false])
    const named = await scene.get('/named-length')
    expect([named.header('set-cookie'), named.text()]).toEqual(['a=1', 'ok'])
  })

  test('keeps its own Date, once, and every other field', async () => {
    const dated = await scene.get('/dated')
    expect(dated.headers.filter(([name]) => name.toLowerCase() === 'date').map(([, value]) => value)).toEqual([
      'Sun, 06 Nov 1994 08:49:37 GMT',
    ])
    expect([dated.header('server'), dated.header('cache-control'), dated.header('x-empty')]).toEqual([
      'shop/1',
      'no-store',
      '',
    ])
  })

  test('is found behind an interim one', async () => {
    const replies = await scene.send('GET /early-hints HTTP/1.1\r\nHost: shop.test\r\n\r\n')
    expect(replies.map(({ status }) => status)).toEqual([200])
    expect(replies[0]?.text()).toBe('ok')
  })

  test('in chunks arrives whole', async () => {
    expect((await scene.get('/chunked')).text()).toBe('hello world')
  })

  for (const path of Object.keys(answers).filter((each) => each.startsWith('/status/'))) {
    test(`keeps its status: ${path}`, async () => {
      const answered = await scene.get(path)
      expect([answered.status, answered.text()]).toEqual([Number(path.slice('/status/'.length)), 'body'])
    })
  }
})

describe('a request', () => {
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
    test(`keeps method, body and length: ${method}`, async () => {
      const [answered] = await scene.send(
        `${method} /x HTTP/1.1\r\nHost: shop.test\r\nContent-Type: a/b\r\nContent-Length: 5\r\n\r\nhe\x00\xffo`,
      )
      expect(answered?.status).toBe(200)
      const seen = scene.upstream.requests.at(-1)
      expect(seen?.requestLine).toBe(`${method} /x HTTP/1.1`)
      expect([seen?.values('content-type'), seen?.values('content-length'), seen?.values('transfer-encoding')]).toEqual(
        [['a/b'], ['5'], []],
      )
      expect([...(seen?.body ?? [])]).toEqual([104, 101, 0, 255, 111])
    })
  }

  test('without a length is sent on in chunks', async () => {
    await scene.send(
      'POST /x HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n',
    )
    const seen = scene.upstream.requests.at(-1)
    expect(seen?.values('content-length')).toEqual([])
    expect(new TextDecoder().decode(seen?.body)).toBe('hello world')
  })

  test('with an empty body is no request without one', async () => {
    await scene.send('POST /x HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 0\r\n\r\n')
    expect(scene.upstream.requests.at(-1)?.values('content-length')).toEqual(['0'])
  })
})

describe('streaming', () => {
  const MEGABYTE = new Uint8Array(1_048_576).fill(97)

  for (const [name, count, fields, frame] of [
    ['a length', 20, `Content-Length: ${20 * MEGABYTE.length}`, (bytes: Uint8Array) => [bytes]],
    [
      'chunks',
      4,
      'Transfer-Encoding: chunked',
      (bytes: Uint8Array) => [`${bytes.length.toString(16)}\r\n`, bytes, '\r\n'],
    ],
  ] as const) {
    test(`brings the first bytes of an upload with ${name} to the upstream before the last were sent`, async () => {
      const start = total(scene.upstream)
      const firstArrived = until(
        'the first megabyte at the upstream',
        () => total(scene.upstream) - start >= MEGABYTE.length,
      )
      const [answered] = await scene.send(
        [
          `POST /upload HTTP/1.1\r\nHost: shop.test\r\n${fields}\r\n\r\n`,
          ...frame(MEGABYTE),
          firstArrived,
          ...Array.from({ length: count - 1 }, () => frame(MEGABYTE)).flat(),
          ...(name === 'chunks' ? ['0\r\n\r\n'] : []),
        ],
        { timeoutMs: 20_000 },
      )
      expect(answered?.status).toBe(200)
      expect(scene.upstream.requests.at(-1)?.body.length).toBe(count * MEGABYTE.length)
    })
  }

  test('brings each server-sent event to the client as it is sent', async () => {
    const gates = Array.from({ length: 4 }, () => Promise.withResolvers<void>())
    const events = await openScene({
      answer: [
        'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n',
        ...gates.flatMap(({ promise }, i): RawStep[] => [`9\r\ndata: ${i}\n\n\r\n`, { waitFor: promise }]),
        '0\r\n\r\n',
      ],
    })
    let text = ''
    const [stream] = await rawRequest(
      events.port,
      'GET /events HTTP/1.1\r\nHost: shop.test\r\nLast-Event-ID: 7\r\n\r\n',
      {
        onData(bytes) {
          text += new TextDecoder().decode(bytes)
          // The next event is sent only when this one has come.
          for (const [i, gate] of gates.entries()) if (text.includes(`data: ${i}`)) gate.resolve()
        },
      },
    )
    expect(stream?.text()).toBe('data: 0\n\ndata: 1\n\ndata: 2\n\ndata: 3\n\n')
    expect([stream?.complete, stream?.header('cache-control'), stream?.header('content-encoding')]).toEqual([
      true,
      'no-store',
      undefined,
    ])
    expect(events.upstream.requests[0]?.values('last-event-id')).toEqual(['7'])
    await events.settled()
    await events.close()
  })

  test('does not read far ahead of a client that does not read', async () => {
    const CHUNKS = 100
    let sent = 0
    const chunk = new Uint8Array(MEGABYTE.length).fill(98)
    const counted: RawStep = {
      get waitFor() {
        sent++
        return Promise.resolve()
      },
    }
    const large = await openScene({
      answer: [
        `HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: ${CHUNKS * chunk.length}\r\n\r\n`,
        ...Array.from({ length: CHUNKS }, () => [chunk, counted]).flat(),
      ],
    })
    const socket = connect({ port: large.port, host: '127.0.0.1' })
    socket.pause()
    socket.write('GET /large HTTP/1.1\r\nHost: shop.test\r\n\r\n')
    let last = -1
    await until('the upstream to be held up', async () => {
      const stood = sent > 0 && sent === last
      last = sent
      await Bun.sleep(200)
      return stood && sent === last
    })
    expect(sent).toBeLessThan(CHUNKS / 2)
    socket.destroy()
    await until('the upstream connection closed', () => large.upstream.open() === 0)
    await large.settled()
    await large.close()
  })
})

function total({ received }: RawUpstream): number {
  return received.reduce((sum, bytes) => sum + bytes.length, 0)
}
