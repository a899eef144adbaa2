import { afterEach, describe, expect, test } from 'bun:test'
import { parseReplies, type RawScript, type RawUpstream, rawRequest, rawText, rawUpstream } from './raw-http.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

let upstream: RawUpstream | undefined
async function listen(script: RawScript, answerAt: 'body' | 'head' = 'body'): Promise<RawUpstream> {
  upstream = await rawUpstream(script, { answerAt })
  return upstream
}
afterEach(() => upstream?.close())

describe('rawRequest and rawUpstream', () => {
  test('carry the bytes of both sides unchanged', async () => {
    const { port, requests } = await listen([
      'HTTP/1.1 299 Odd \xe9\r\nX-A:  1\r\nx-a: 2\r\nContent-Length: 2\r\n\r\n\xff\x00',
    ])
    const sent = 'POST /\xe9 HTTP/1.1\r\nhost:x\r\nHOST: y\r\ncontent-length: 1\r\n\r\n\xfe'
    const [reply] = await rawRequest(port, sent)
    expect(requests[0]?.text()).toBe(sent)
    expect(requests[0]?.values('host')).toEqual(['x', 'y'])
    expect(reply).toMatchObject({ status: 299, statusText: 'Odd \xe9', complete: true, closed: false })
    expect(reply?.headers.slice(0, 2)).toEqual([
      ['X-A', '1'],
      ['x-a', '2'],
    ])
    expect([...(reply?.body ?? [])]).toEqual([255, 0])
  })

  test('wait for a body sent in pieces, fixed or chunked, before answering', async () => {
    const { port, requests } = await listen([OK])
    const head = 'POST / HTTP/1.1\r\nHost: a\r\n'
    await rawRequest(port, [`${head}Content-Length: 4\r\n\r\nab`, 20, 'cd'])
    await rawRequest(port, [
      `${head}Transfer-Encoding: chunked\r\n\r\n2\r\na`,
      20,
      'b\r\n2;x\r\ncd\r\n0\r\nT: 1\r\n\r\n',
    ])
    expect(requests.map(({ body }) => new TextDecoder().decode(body))).toEqual(['abcd', 'abcd'])
  })

  test('answer pipelined requests in order on one connection', async () => {
    const { port, requests } = await listen((_, index) => [`HTTP/1.1 20${index} -\r\nContent-Length: 0\r\n\r\n`])
    const replies = await rawRequest(port, GET + GET, { replies: 2 })
    expect(replies.map(({ status }) => status)).toEqual([200, 201])
    expect(requests.map(({ connection }) => connection)).toEqual([0, 0])
  })

  test('show interim replies beside the final one', async () => {
    const { port } = await listen(['HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n', { waitMs: 20 }, OK])
    const replies = await rawRequest(port, GET)
    expect(replies.map(({ status }) => status)).toEqual([103, 200])
  })

  test('tell a whole close-delimited body, a truncated one and a reset apart from silence', async () => {
    const script: RawScript = ({ requestLine }) => {
      if (requestLine.includes('/whole')) return ['HTTP/1.1 200 OK\r\n\r\nall', 'close']
      if (requestLine.includes('/cut')) return ['HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall', 'close']
      return requestLine.includes('/reset') ? ['reset'] : ['hang']
    }
    const { port } = await listen(script)
    const ask = (path: string) => rawRequest(port, `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`, { timeoutMs: 200 })
    expect((await ask('/whole'))[0]).toMatchObject({ complete: true, closed: true })
    expect((await ask('/cut'))[0]).toMatchObject({ complete: false, closed: true })
    expect(await ask('/reset')).toEqual([])
    expect(await ask('/hang')).toEqual([])
  })

  test('drip bytes one by one and pass each piece on as it comes', async () => {
    const { port } = await listen([{ drip: OK, everyMs: 1 }])
    let pieces = 0
    const replies = await rawRequest(port, GET, { onData: () => pieces++ })
    expect(rawText(replies)).toBe(OK)
    expect(pieces).toBeGreaterThan(5)
  })

  test('see the client leave when its signal aborts', async () => {
    const { port, requests, open } = await listen(['hang'])
    const abort = new AbortController()
    const reply = rawRequest(port, GET, { signal: abort.signal })
    while (requests.length === 0) await new Promise((wake) => setTimeout(wake, 1))
    abort.abort()
    await requests[0]?.connectionClosed
    expect([open(), await reply]).toEqual([0, []])
  })

  test('answer at the head when told, before the body has come', async () => {
    const { port } = await listen([OK], 'head')
    const [reply] = await rawRequest(port, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n')
    expect(reply?.text()).toBe('ok')
  })

  test('reject when nobody listens', async () => {
    const { port, close } = await listen([OK])
    await close()
    await expect(rawRequest(port, GET)).rejects.toThrow()
  })
})

describe('parseReplies', () => {
  test('takes no body for HEAD, 204 and 304, and makes one reply of garbage', () => {
    const head = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'
    const bytes = (text: string) => new TextEncoder().encode(text)
    expect(parseReplies(bytes(head + head), false, true).map(({ status }) => status)).toEqual([200, 200])
    expect(parseReplies(bytes(`HTTP/1.1 304 -\r\nContent-Length: 5\r\n\r\n${OK}`), false)).toHaveLength(2)
    expect(parseReplies(bytes('nonsense'), true)).toMatchObject([{ status: 0, complete: false, closed: true }])
  })
})
