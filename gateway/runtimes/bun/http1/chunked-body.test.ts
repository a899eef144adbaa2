import { describe, expect, test } from 'bun:test'
import { ChunkedBody } from './chunked-body.ts'
import { MalformedReply } from './malformed-reply.ts'

/** Reads it whole: the data, and how many bytes were left over; undefined when it goes on. */
function decode(text: string): { readonly data: string; readonly rest: string | undefined } {
  const bytes = Buffer.from(text, 'latin1')
  let data = ''
  const end = new ChunkedBody().read(bytes, 0, {
    body: (piece) => (data += Buffer.from(piece).toString('latin1')),
  })
  return { data, rest: end < 0 ? undefined : bytes.toString('latin1', end) }
}

/** The pieces of data it gives of one read. */
function piecesOf(text: string): Uint8Array[] {
  const pieces: Uint8Array[] = []
  new ChunkedBody().read(Buffer.from(text, 'latin1'), 0, { body: (piece) => pieces.push(piece) })
  return pieces
}

const LAST = '0\r\n\r\n'

describe('a body in chunks', () => {
  for (const [name, text, data, rest] of [
    ['is empty', LAST, '', ''],
    ['has one chunk', `3\r\nabc\r\n${LAST}`, 'abc', ''],
    ['has several', `3\r\nabc\r\n1\r\n\n\r\n${LAST}`, 'abc\n', ''],
    ['has sizes in both cases', `a\r\n0123456789\r\nA\r\n0123456789\r\n${LAST}`, '01234567890123456789', ''],
    ['has sizes with zeros before them', `0003\r\nabc\r\n000\r\n\r\n`, 'abc', ''],
    ['has a last chunk of many zeros', `000000000000\r\n\r\n`, '', ''],
    ['has blanks after a size', `3 \t\r\nabc\r\n${LAST}`, 'abc', ''],
    ['has extensions', `3;a=b;c="d;e"\r\nabc\r\n0;last\r\n\r\n`, 'abc', ''],
    ['has an extension after blanks', `3 ; a\r\nabc\r\n${LAST}`, 'abc', ''],
    ['has trailers', `3\r\nabc\r\n0\r\nX-Sum: 1\r\nX-Too: 2\r\n\r\n`, 'abc', ''],
    ['has what looks like its end in the data', `5\r\n0\r\n\r\n\r\n${LAST}`, LAST, ''],
    ['is followed by something', `3\r\nabc\r\n${LAST}HTTP/1.1 200 OK`, 'abc', 'HTTP/1.1 200 OK'],
  ] as const) {
    test(name, () => {
      expect(decode(text)).toEqual({ data, rest })
    })
  }

  for (const text of [
    '',
    '3',
    '3\r',
    '3\r\n',
    '3\r\nab',
    '3\r\nabc',
    '3\r\nabc\r\n',
    '0',
    '0\r\n',
    '0\r\nX: 1\r\n',
    '0\r\n\r',
  ]) {
    test(`goes on after ${JSON.stringify(text)}`, () => {
      expect(decode(text).rest).toBeUndefined()
    })
  }

  for (const [text, why] of [
    ['\r\n', 'a chunk size that is none'],
    ['z\r\n', 'a chunk size that is none'],
    [' 3\r\n', 'a chunk size that is none'],
    ['-3\r\n', 'a chunk size that is none'],
    ['+3\r\n', 'a chunk size that is none'],
    ['0x3\r\n', 'a chunk size that is none'],
    ['3 3\r\n', 'a chunk size that is none'],
    ['3\n', 'a chunk size that is none'],
    [';a\r\n', 'a chunk size that is none'],
    ['3\0\r\n', 'a chunk size that is none'],
    ['g\r\n', 'a chunk size that is none'],
    ['@\r\n', 'a chunk size that is none'],
    ['3\r\r\n', 'a chunk without its end'],
    ['3\ra', 'a chunk without its end'],
    ['1000000000000\r\n', 'a chunk size beyond all numbers'],
    ['0000000000000\r\n', 'a chunk size beyond all numbers'],
    ['3;\r\n', 'a chunk extension that is none'],
    ['3; \r\n', 'a chunk extension that is none'],
    ['3;a\n', 'a chunk extension that is none'],
    ['3;a\0\r\n', 'a chunk extension that is none'],
    ['3;a\x7f\r\n', 'a chunk extension that is none'],
    [`3;${'a'.repeat(4_097)}`, 'a chunk extension of more than 4096 bytes'],
    [`3${' '.repeat(4_098)}`, 'a chunk extension of more than 4096 bytes'],
    ['3\r\nabcd', 'a chunk without its end'],
    ['3\r\nabc\n', 'a chunk without its end'],
    ['3\r\nabc\rx', 'a chunk without its end'],
    ['0\r\nX: 1\n', 'a trailer that is none'],
    ['0\r\nX: \0', 'a trailer that is none'],
    ['0\r\n\n', 'a trailer that is none'],
    ['0\r\n\rx', 'a chunk without its end'],
    [`0\r\n${'X: 1\r\n'.repeat(4_000)}`, 'trailers of more than 16384 bytes'],
    [`0\r\n${'X'.repeat(16_385)}`, 'trailers of more than 16384 bytes'],
  ] as const) {
    test(`is refused: ${JSON.stringify(text.slice(0, 20))}`, () => {
      let error: unknown
      try {
        decode(text)
      } catch (thrown) {
        error = thrown
      }
      expect(error).toBeInstanceOf(MalformedReply)
      expect(error).toHaveProperty('message', why)
    })
  }

  test('may have as many extensions as chunks', () => {
    const chunk = `1;${'a'.repeat(1_000)}\r\nx\r\n`
    expect(decode(`${chunk.repeat(100)}${LAST}`)).toEqual({ data: 'x'.repeat(100), rest: '' })
  })

  test('may have extensions of 4,095 characters, and trailers of 16 KiB', () => {
    expect(decode(`1;${'a'.repeat(4_095)}\r\nx\r\n${LAST}`).data).toBe('x')
    expect(decode(`0\r\n${'X'.repeat(16_382)}\r\n\r\n`).rest).toBe('')
  })
})

describe('the data of a read', () => {
  const chunk = (data: string, extension = '') => `${data.length.toString(16)}${extension}\r\n${data}\r\n`
  const long = 'x'.repeat(4_096)

  test('is one piece, however small the chunks are', () => {
    expect(piecesOf('1\r\nx\r\n'.repeat(10_000)).map(({ length }) => length)).toEqual([10_000])
  })

  test('is not moved where its pieces are large', () => {
    const text = chunk('a') + chunk('b') + chunk(long) + chunk('c') + chunk(long) + chunk(long)
    expect(piecesOf(text).map(({ length }) => length)).toEqual([2, 4_097, 4_096, 4_096])
  })

  test('is in order, byte for byte', () => {
    const parts = Array.from({ length: 300 }, (_, i) => String(i).repeat(1 + ((i * 7) % 40)))
    const text = parts.map((part, i) => chunk(part, i % 3 === 0 ? ';a=b' : '')).join('')
    expect(Buffer.concat(piecesOf(text + LAST)).toString()).toBe(parts.join(''))
  })

  test('does not keep the extensions that came with it', () => {
    const pieces = piecesOf(chunk('a', `;${'x'.repeat(4_000)}`).repeat(10))
    expect(Buffer.concat(pieces).toString()).toBe('a'.repeat(10))
    expect(pieces.map(({ buffer }) => buffer.byteLength)).toEqual([10])
  })
})
