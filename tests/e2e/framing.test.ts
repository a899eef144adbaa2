import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { rawText } from '../support/raw-http.ts'
import { openScene, problemCode, type Scene } from './scene.ts'

/** Where a request ends, told in ways two parsers could read differently. None may become two requests. */

let scene: Scene
let before = 0

beforeAll(async () => {
  scene = await openScene()
})
afterAll(() => scene.close())
beforeEach(() => {
  before = scene.upstream.requests.length
})

const forwarded = () => scene.upstream.requests.slice(before).map(({ requestLine }) => requestLine)

/** What a smuggler wants to be read as a second request. */
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: shop.test\r\n\r\n'

function post(fields: string, body: string): string {
  return `POST /first HTTP/1.1\r\nHost: shop.test\r\n${fields}\r\n\r\n${body}`
}

/** Sends it, and proves that it was refused, that the connection is over, and that the gateway serves on. */
async function expectRefusal(bytes: string, statuses: readonly number[] = [400]) {
  const replies = await scene.send(bytes, { waitForClose: true, timeoutMs: 3_000 })
  expect(replies).toHaveLength(1)
  expect(statuses).toContain(replies[0]?.status ?? 0)
  expect(replies[0]?.closed).toBe(true)
  expect(forwarded()).toEqual([])
  expect((await scene.get('/after')).status).toBe(200)
}

describe('a request whose length is told twice', () => {
  test('is refused when it has Content-Length and Transfer-Encoding', () =>
    expectRefusal(post('Content-Length: 6\r\nTransfer-Encoding: chunked', `0\r\n\r\n${SMUGGLED}`)))

  test('is refused with the two in the other order', () =>
    expectRefusal(post('Transfer-Encoding: chunked\r\nContent-Length: 6', `0\r\n\r\n${SMUGGLED}`)))

  test('is refused with two different Content-Length fields', () =>
    expectRefusal(post('Content-Length: 0\r\nContent-Length: 44', SMUGGLED)))
})

describe('a Content-Length that is no plain number', () => {
  for (const value of ['+5', '-48', '0x10', '1Z', '1_0', '5, 5', '5,6', '1e1', '99999999999999999999']) {
    test(`is refused: ${value}`, () => expectRefusal(post(`Content-Length: ${value}`, 'hello')))
  }

  test('is refused: an empty one', () => expectRefusal(post('Content-Length:', 'hello')))
})

describe('a Transfer-Encoding that is not exactly chunked', () => {
  const variants = [
    ',chunked', 'xchunked', 'chunkedx', '\x0bchunked', '\xa0chunked', 'chunked, identity', 'identity, chunked', 'identity',
    'chunked,chunked', 'gzip, chunked', 'chunked;a=b', '"chunked"', "'chunked'", 'chunk', 'cow', 'chunked\x00', '\x01chunked',
    'chunked\x7f', '[chunked]', 'chunked ,', 'nope\r\nTransfer-Encoding: chunked', 'chunked\r\nTransfer-Encoding: identity',
  ] // biome-ignore format: a list to be read across
  for (const value of variants) {
    test(`is refused: ${JSON.stringify(value)}`, () =>
      expectRefusal(post(`Transfer-Encoding: ${value}`, `0\r\n\r\n${SMUGGLED}`), [400, 501]))
  }

  const lines = [
    'Transfer-Encoding : chunked', 'Transfer-Encoding\t: chunked', ' Transfer-Encoding: chunked', 'X: y\r\n Transfer-Encoding: chunked',
    'X: y\nTransfer-Encoding: chunked', 'X: y\rTransfer-Encoding: chunked', 'Transfer-Encoding\r\n: chunked', 'Transfer-Encoding:\n chunked',
    'Transfer-Encoding chunked', '\x00Transfer-Encoding: chunked', 'Transfer\rEncoding: chunked', 'Transfer-Encoding:\r\n chunked',
  ] // biome-ignore format: a list to be read across
  for (const line of lines) {
    test(`is refused when the line itself is bent: ${JSON.stringify(line)}`, () =>
      expectRefusal(post(line, `0\r\n\r\n${SMUGGLED}`)))
  }

  test('is accepted in any case, with optional white space around it', async () => {
    for (const value of ['Chunked', 'CHUNKED', '\tchunked', 'chunked \t']) {
      const [reply] = await scene.send(post(`Transfer-Encoding: ${value}`, '5\r\nhello\r\n0\r\n\r\n'))
      expect(reply?.status).toBe(200)
    }
    const bodies = scene.upstream.requests.slice(before).map(({ body }) => new TextDecoder().decode(body))
    expect(bodies).toEqual(['hello', 'hello', 'hello', 'hello'])
  })
})

describe('a malformed chunk', () => {
  for (const size of ['0_2e', '-0x0', 'FFFFFFFFFFFFFFFFF', '0x5', '+5', 'g', '']) {
    test(`ends the connection: size ${JSON.stringify(size)}`, async () => {
      const replies = await scene.send(post('Transfer-Encoding: chunked', `${size}\r\nhello\r\n0\r\n\r\n${SMUGGLED}`), {
        waitForClose: true,
        timeoutMs: 3_000,
      })
      expect(replies.filter(({ status }) => status < 300 && status >= 200)).toEqual([])
      expect(replies.every(({ closed }) => closed)).toBe(true)
      expect(forwarded().filter((line) => line.includes('smuggled'))).toEqual([])
      expect((await scene.get('/after')).status).toBe(200)
    })
  }

  for (const [name, chunks] of [
    ['a bare CR after the size', '5;\r\r;\r\nhello\r\n0\r\n\r\n'],
    ['a bare LF after the size', '5\nhello\r\n0\r\n\r\n'],
    ['a chunk longer than its size', '5\r\nhello!!\r\n0\r\n\r\n'],
    ['a space before the size', ' 5\r\nhello\r\n0\r\n\r\n'],
  ] as const) {
    test(`never lets what follows be read as a request of its own: ${name}`, async () => {
      await scene.send(post('Transfer-Encoding: chunked', chunks + SMUGGLED), { waitForClose: true, timeoutMs: 1_000 })
      expect(forwarded().filter((line) => line.includes('smuggled'))).toEqual([])
      expect((await scene.get('/after')).status).toBe(200)
    })
  }
})

describe('a header section with bent lines', () => {
  const sections: readonly (readonly [string, string])[] = [
    ['bare LF line ends', `GET /first HTTP/1.1\nHost: shop.test\n\n`],
    ['a bare LF after the request line', `GET /first HTTP/1.1\nHost: shop.test\r\n\r\n`],
    ['a bare CR inside a value', `GET /first HTTP/1.1\r\nHost: shop.test\r\nVisible: :/\rSmuggled: :)\r\n\r\n`],
    ['a space before the colon', `POST /first HTTP/1.1\r\nHost: shop.test\r\nContent-Length : 34\r\n\r\n`],
    ['a folded line', `GET /first HTTP/1.1\r\nHost: shop.test\r\nX-A: 1\r\n folded\r\n\r\n`],
    ['a NUL in a value', `GET /first HTTP/1.1\r\nHost: shop.test\r\nX-A: 1\x002\r\n\r\n`],
    ['a name with a bracket', `GET /first HTTP/1.1\r\nHost: shop.test\r\nX(A): 1\r\n\r\n`],
    ['a line without a colon', `GET /first HTTP/1.1\r\nHost: shop.test\r\nnonsense\r\n\r\n`],
  ]
  for (const [name, bytes] of sections) {
    test(`is refused: ${name}`, async () => {
      const replies = await scene.send(bytes, { waitForClose: true, timeoutMs: 1_000 })
      expect(replies.map(({ status }) => status).filter((status) => status !== 400 && status !== 505)).toEqual([])
      expect(forwarded()).toEqual([])
      expect((await scene.get('/after')).status).toBe(200)
    })
  }
})

describe('a request line that is not HTTP/1.1 to the letter', () => {
  for (const line of [
    'GET /first', 'GET /first HTTP/0.9', 'GET /first HTTP/1.32', 'GET /first HTTP/4294967295.255', 'GET /first HTTP/2.0', 'GET /first HTTP/3',
    'GET /first http/1.1', 'GET /first HTTP/1.1 ', 'GET /fi rst HTTP/1.1', 'GET  /first HTTP/1.1', 'GET /fi\trst HTTP/1.1', 'GET /\nHTTP/1.1',
    'GET first HTTP/1.1', 'G\x00T /first HTTP/1.1', 'GET /first\x00 HTTP/1.1', 'G<T /first HTTP/1.1', ' GET /first HTTP/1.1',
  ] /* biome-ignore format: a list to be read across */) {
    test(`never reaches an upstream: ${JSON.stringify(line)}`, async () => {
      const replies = await scene.send(`${line}\r\nHost: shop.test\r\n\r\n`, { waitForClose: true, timeoutMs: 1_000 })
      expect(replies.map(({ status }) => status).filter((status) => status !== 400 && status !== 505)).toEqual([])
      expect(forwarded()).toEqual([])
      expect((await scene.get('/after')).status).toBe(200)
    })
  }
})

describe('several requests on one connection', () => {
  /** Sends the second part only once the first has its reply: Bun gives up a connection that does not wait. */
  async function oneAfterTheOther(first: string, second: string) {
    const { promise: answered, resolve } = Promise.withResolvers<void>()
    return scene.send([first, answered, second], { replies: 2, timeoutMs: 2_000, onData: () => resolve() })
  }
  const SECOND = 'GET /second HTTP/1.1\r\nHost: shop.test\r\n\r\n'

  test('are not made from the body of a GET', async () => {
    const fields = `Host: shop.test\r\nContent-Length: ${SMUGGLED.length}`
    const replies = await oneAfterTheOther(`GET /first HTTP/1.1\r\n${fields}\r\n\r\n${SMUGGLED}`, SECOND)
    expect(replies.map(({ status }) => status)).toEqual([200, 200])
    expect(forwarded()).toEqual(['GET /first HTTP/1.1', 'GET /second HTTP/1.1'])
  })

  test('are not made from a body that was refused unread', async () => {
    const fields = `Host: shop.test\r\nContent-Length: ${SMUGGLED.length}`
    const replies = await oneAfterTheOther(`POST //x HTTP/1.1\r\n${fields}\r\n\r\n${SMUGGLED}`, SECOND)
    expect(replies.map(({ status }) => status)).toEqual([400, 200])
    expect(forwarded()).toEqual(['GET /second HTTP/1.1'])
  })

  test('sent without waiting are given up by Bun at once, never answered out of order', async () => {
    const numbers = Array.from({ length: 100 }, (_, i) => i)
    const bytes = numbers.map((i) => `GET /${i} HTTP/1.1\r\nHost: shop.test\r\n\r\n`).join('')
    const startedAt = Date.now()
    const replies = await scene.send(bytes, { replies: 100, timeoutMs: 20_000 })
    expect(Date.now() - startedAt).toBeLessThan(15_000)
    expect(replies.length).toBeLessThan(100)
    await scene.settled()
    const seen = forwarded()
    expect(seen).toEqual(numbers.slice(0, seen.length).map((i) => `GET /${i} HTTP/1.1`))
    expect((await scene.get('/after')).status).toBe(200)
  })
})

describe('an expectation', () => {
  test('of 100-continue is met, and the body forwarded once', async () => {
    let onContinue = () => {}
    const continued = new Promise<void>((resolve) => {
      onContinue = resolve
    })
    const replies = await scene.send(
      [
        'POST /first HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n',
        continued,
        'hello',
      ],
      { onData: (bytes) => new TextDecoder().decode(bytes).includes('100 Continue') && onContinue() },
    )
    expect(replies.map(({ status }) => status)).toEqual([100, 200])
    expect(forwarded()).toEqual(['POST /first HTTP/1.1'])
    expect(scene.upstream.requests.at(-1)?.values('expect')).toEqual([])
    expect(new TextDecoder().decode(scene.upstream.requests.at(-1)?.body)).toBe('hello')
  })

  test('of anything else is refused with 417', async () => {
    const reply = await scene.get('/first', 'Expect: wat')
    expect([reply.status, problemCode(reply)]).toEqual([417, 'expectation-failed'])
    expect(forwarded()).toEqual([])
  })
})

test('an upgrade to h2c is not passed on', async () => {
  const reply = await scene.get(
    '/first',
    'Connection: Upgrade, HTTP2-Settings',
    'Upgrade: h2c',
    'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
  )
  expect([reply.status, reply.statusText]).toEqual([200, 'OK'])
  const [seen] = scene.upstream.requests.slice(before)
  expect(['upgrade', 'http2-settings'].flatMap((name) => seen?.values(name))).toEqual([])
  expect(seen?.values('connection')).toEqual(['keep-alive'])
})

test('a framing the runtime lets through is refused by the gateway with a problem, and ends the connection', async () => {
  const [reply] = await scene.send(post('Transfer-Encoding: ,chunked', `0\r\n\r\n${SMUGGLED}`), { waitForClose: true })
  expect([reply?.status, problemCode(reply), reply?.closed]).toEqual([400, 'invalid-request', true])
  expect(rawText(reply ? [reply] : [])).toContain('Connection: close')
})
