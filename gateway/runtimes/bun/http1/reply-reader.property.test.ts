import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { readPieces } from './test-recorded-reply.ts'

const OK = 'HTTP/1.1 200 OK\r\n'

/** Replies as the wire may bring them: good ones, bad ones, and some with more behind them. */
const REPLIES: readonly string[] = [
  `${OK}Content-Length: 0\r\n\r\n`,
  `${OK}Content-Length: 5\r\nX-A: \xe9\r\n\r\nhello`,
  `${OK}Content-Length: 5\r\n\r\nhel`,
  `${OK}Content-Length: 2\r\n\r\nhello`,
  `${OK}\r\nuntil the end\r\n\r\n`,
  `HTTP/1.0 200 OK\r\n\r\n`,
  `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n`,
  `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n`,
  `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`,
  `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n`,
  `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n`,
  `${OK}Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n`,
  'HTTP/1.1 204 No Content\r\n\r\n',
  'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello',
  `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}Content-Length: 2\r\n\r\nok`,
  `HTTP/1.1 100 Continue\r\n\r\n${OK}\r\n`,
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\n\r\nfoo',
  'HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n',
  `${OK}Content-Length: 2\r\nContent-Length: 2\r\n\r\nok`,
  `${OK}X-A : 1\r\nContent-Length: 2\r\n\r\nok`,
  `${OK}X-A: a\r\n b\r\n\r\n`,
  `${OK}X-A: a\rb\r\n\r\n`,
  'HTTP/1.1 200 OK\nContent-Length: 2\n\nok',
  `${OK}X-A: 1\nContent-Length: 2\r\n\r\nok`,
  'hello, world\r\n\r\n',
  '\r\n\r\nHTTP/1.1 200 OK\r\n\r\n',
  'HTTP/1.1 200 O',
  '',
]

/** Where a piece is refused that the whole would have refused in other words, what counts is that it is refused. */
const outcome = (reply: ReturnType<typeof readPieces>) =>
  reply.refusal === undefined ? reply : { ...reply, refusal: 'refused' }

const pieces = (text: string, cuts: readonly number[]) => {
  const bytes = Buffer.from(text, 'latin1')
  const at = [0, ...[...cuts].sort((a, b) => a - b), bytes.length]
  // Copies, and an empty piece never comes from a socket.
  return at.flatMap((from, i) => (from < (at[i + 1] ?? 0) ? [Buffer.from(bytes.subarray(from, at[i + 1]))] : []))
}

for (const method of ['GET', 'HEAD']) {
  test(`a reply to ${method} is read alike however it is cut in two, and byte by byte`, () => {
    for (const reply of REPLIES) {
      const whole = outcome(readPieces(pieces(reply, []), method))
      for (let cut = 1; cut < reply.length; cut++) {
        expect({ reply, cut, read: outcome(readPieces(pieces(reply, [cut]), method)) }).toEqual({
          reply,
          cut,
          read: whole,
        })
      }
      const every = Array.from({ length: reply.length }, (_, i) => i)
      expect({ reply, read: outcome(readPieces(pieces(reply, every), method)) }).toEqual({ reply, read: whole })
    }
  })
}

test('any reply is read alike in any pieces', () => {
  const chunk = fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 40 })
  const made = fc.oneof(
    chunk.map((body) => ({ body, text: `${OK}Content-Length: ${body.length}\r\n\r\n${body}` })),
    chunk.map((body) => ({ body, text: `${OK}\r\n${body}` })),
    fc.array(chunk, { maxLength: 5 }).map((chunks) => ({
      body: chunks.join(''),
      text: `${OK}Transfer-Encoding: chunked\r\n\r\n${chunks.map((data) => `${data.length.toString(16)}\r\n${data}\r\n`).join('')}0\r\n\r\n`,
    })),
  )
  fc.assert(
    fc.property(made, fc.array(fc.nat(200), { maxLength: 12 }), ({ body, text }, cuts) => {
      const read = readPieces(
        pieces(
          text,
          cuts.filter((cut) => cut < text.length),
        ),
      )
      expect(read).toMatchObject({ status: 200, body, isWhole: true, isMore: false, refusal: undefined })
    }),
    { numRuns: 500 },
  )
})
