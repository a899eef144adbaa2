import { describe, expect, test } from 'bun:test'
import { MalformedReply } from './malformed-reply.ts'
import { readHead } from './reply-head.ts'

const OK = 'HTTP/1.1 200 OK\r\n'

/** A head with these field lines. */
const head = (lines: readonly string[], start = OK) => `${start}${lines.map((line) => `${line}\r\n`).join('')}\r\n`
const read = (lines: readonly string[], { start = OK, method = 'GET' } = {}) => readHead(head(lines, start), method)

function refusal(text: string, method = 'GET'): string | undefined {
  try {
    readHead(text, method)
    return undefined
  } catch (error) {
    expect(error).toBeInstanceOf(MalformedReply)
    return error instanceof Error ? error.message : undefined
  }
}

describe('a status line', () => {
  for (const [line, status, reason] of [
    ['HTTP/1.1 200 OK', 200, 'OK'],
    ['HTTP/1.0 404 Not Found', 404, 'Not Found'],
    ['HTTP/1.1 200 ', 200, ''],
    ['HTTP/1.1 200', 200, ''],
    ['HTTP/1.1 599 a\tb', 599, 'a\tb'],
    ['HTTP/1.1 200 schön \xff', 200, 'schön \xff'],
    ['HTTP/1.1 200  two spaces', 200, ' two spaces'],
  ] as const) {
    test(`is read: ${JSON.stringify(line)}`, () => {
      expect(read([], { start: `${line}\r\n` })).toMatchObject({ status, reason })
    })
  }

  for (const line of [
    '',
    'OK',
    ' HTTP/1.1 200 OK',
    '\r\nHTTP/1.1 200 OK',
    'http/1.1 200 OK',
    'HTP/1.1 200 OK',
    'HTTPS/1.1 200 OK',
    'HTTP/2 200 OK',
    'HTTP/2.0 200 OK',
    'HTTP/0.9 200 OK',
    'HTTP/1.2 200 OK',
    'HTTP/1.10 200 OK',
    'HTTP/01.1 200 OK',
    'HTTP/1. 1 200 OK',
    'HTTP/1 200 OK',
    'HTTP/1.1  200 OK',
    'HTTP/1.1\t200 OK',
    'HTTP/1.1200 OK',
    'HTTP/1.1 20 OK',
    'HTTP/1.1 2000 OK',
    'HTTP/1.1 +20 OK',
    'HTTP/1.1 2x0 OK',
    'HTTP/1.1 200\tOK',
    'HTTP/1.1 200OK',
    'HTTP/1.1 200 a\0b',
    'HTTP/1.1 200 a\x7fb',
    'HTTP/1.1 200 a\rb',
    'HTTP/1.1 200 a\nb',
    'HTTP/1.1 200 a\x1bb',
    'GET / HTTP/1.1',
  ]) {
    test(`is refused: ${JSON.stringify(line)}`, () => {
      expect(refusal(head([], `${line}\r\n`))).toBe('no status line')
    })
  }
})

describe('a field line', () => {
  for (const [line, name, value] of [
    ['X-Own: 1', 'x-own', '1'],
    ['x-own:1', 'x-own', '1'],
    ['X-Own: \t 1 \t ', 'x-own', '1'],
    ['X-Own:', 'x-own', ''],
    ['X-Own:   ', 'x-own', ''],
    ['X-Own: a:b, c\td', 'x-own', 'a:b, c\td'],
    ["!#$%&'*+-.^_`|~0aZ: v", "!#$%&'*+-.^_`|~0az", 'v'],
    ['X-Own: \x80\xe9\xff', 'x-own', '\x80\xe9\xff'],
  ] as const) {
    test(`is read: ${JSON.stringify(line)}`, () => {
      expect(read([line, 'Content-Length: 0']).fields.get(name)).toBe(value)
    })
  }

  for (const line of [
    'X-Own',
    'X-Own : 1',
    'X-Own\t: 1',
    ': 1',
    'X Own: 1',
    ' X-Own: 1',
    '\tX-Own: 1',
    'X-Own: 1\r\n folded',
    'X-Own: 1\r\n\tfolded',
    'X-Own: a\0b',
    'X-Own: a\x01b',
    'X-Own: a\x1b[2Jb',
    'X-Own: a\x7fb',
    'X-Own: a\rb',
    'X-Own: a\nb',
    'X-Own: a\nInjected: 1',
    'X-Own: a\r',
    'X-Öwn: 1',
    'X-Own\0: 1',
    'X(Own): 1',
    'X-Own; 1',
    'X-Own=1',
  ]) {
    test(`is refused: ${JSON.stringify(line)}`, () => {
      expect(refusal(head([line, 'Content-Length: 0']))).toBe('a field line that is none')
      expect(refusal(head(['Content-Length: 0', line]))).toBe('a field line that is none')
    })
  }

  test('may come again, each cookie for itself', () => {
    const { fields } = read(['Set-Cookie: a=1, x', 'Vary: a', 'Set-Cookie: b=2', 'Vary: b'])
    expect(fields.getSetCookie()).toEqual(['a=1, x', 'b=2'])
    expect(fields.get('vary')).toBe('a, b')
  })

  test('may come 256 times, and no oftener', () => {
    const fields = Array.from({ length: 256 }, (_, i) => `X-${i}: ${i}`)
    expect([...read(fields).fields]).toHaveLength(256)
    expect(refusal(head([...fields, 'X-Last: 1']))).toBe('more than 256 fields')
  })

  test('of the connection stays behind, with those that Connection names', () => {
    const { fields } = read([
      'Content-Length: 3',
      'Connection: X-Named, Keep-Alive',
      'connection: X-Too',
      'Keep-Alive: timeout=5',
      'Proxy-Connection: keep-alive',
      'Trailer: X-Sum',
      'Upgrade: h2c',
      'TE: trailers',
      'Proxy-Authenticate: Basic',
      'X-Named: 1',
      'x-too: 2',
      'X-Kept: 3',
    ])
    expect([...fields]).toEqual([
      ['content-length', '3'],
      ['x-kept', '3'],
    ])
  })
})

describe('the end of a body', () => {
  for (const { name, lines, framing, start, method } of [
    { name: 'is where the length says', lines: ['Content-Length: 5'], framing: 5 },
    { name: 'is where the length says, in any case of its name', lines: ['cOnTENT-lENGTH: 05 \t'], framing: 5 },
    { name: 'is at once with length 0', lines: ['Content-Length: 0'], framing: 0 },
    { name: 'is after the last chunk', lines: ['Transfer-Encoding: chunked'], framing: 'chunked' },
    { name: 'is after the last chunk, in any case', lines: ['TRANSFER-ENCODING:  Chunked '], framing: 'chunked' },
    { name: 'is the end of the connection without both', lines: [], framing: 'until-close' },
    {
      name: 'is the end of the connection in HTTP/1.0',
      lines: [],
      start: 'HTTP/1.0 200 OK\r\n',
      framing: 'until-close',
    },
    { name: 'is at once after HEAD', lines: ['Content-Length: 5'], method: 'HEAD', framing: 0 },
    { name: 'is at once after HEAD with chunks', lines: ['Transfer-Encoding: chunked'], method: 'HEAD', framing: 0 },
    { name: 'is at once with 204', lines: ['Content-Length: 5'], start: 'HTTP/1.1 204 No\r\n', framing: 0 },
    { name: 'is at once with 304', lines: ['Content-Length: 5'], start: 'HTTP/1.1 304 No\r\n', framing: 0 },
    { name: 'is at once with 1xx', lines: [], start: 'HTTP/1.1 103 Early Hints\r\n', framing: 0 },
    {
      name: 'is where the length says with 205',
      lines: ['Content-Length: 5'],
      start: 'HTTP/1.1 205 R\r\n',
      framing: 5,
    },
  ] as const) {
    test(name, () => {
      expect(read(lines, { ...(start && { start }), ...(method && { method }) }).framing).toBe(framing)
    })
  }

  for (const [lines, why] of [
    [['Content-Length: 5', 'Content-Length: 5'], 'two lengths'],
    [['Content-Length: 5', 'content-length: 6'], 'two lengths'],
    [['Content-Length: 5, 5'], 'a length that is no number'],
    [['Content-Length:'], 'a length that is no number'],
    [['Content-Length: -1'], 'a length that is no number'],
    [['Content-Length: +5'], 'a length that is no number'],
    [['Content-Length: 5.0'], 'a length that is no number'],
    [['Content-Length: 0x5'], 'a length that is no number'],
    [['Content-Length: 5a'], 'a length that is no number'],
    [['Content-Length: 5 5'], 'a length that is no number'],
    [['Content-Length: \xb2'], 'a length that is no number'],
    [['Content-Length: \xa05'], 'a length that is no number'],
    [['Content-Length: 5\xa0'], 'a length that is no number'],
    [['Content-Length: 1000000000000000'], 'a length that is no number'],
    [['Content-Length: 5', 'Transfer-Encoding: chunked'], 'both Content-Length and Transfer-Encoding'],
    [['Transfer-Encoding: chunked', 'Content-Length: 5'], 'both Content-Length and Transfer-Encoding'],
    [['Transfer-Encoding: gzip, chunked'], 'unknown Transfer-Encoding'],
    [['Transfer-Encoding: chunked, gzip'], 'unknown Transfer-Encoding'],
    [['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], 'unknown Transfer-Encoding'],
    [['Transfer-Encoding: gzip', 'Transfer-Encoding: chunked'], 'unknown Transfer-Encoding'],
    [['Transfer-Encoding: identity'], 'unknown Transfer-Encoding'],
    [['Transfer-Encoding: chunked;q=1'], 'unknown Transfer-Encoding'],
    [['Transfer-Encoding: "chunked"'], 'unknown Transfer-Encoding'],
    [['Transfer-Encoding: xchunked'], 'unknown Transfer-Encoding'],
    [['Transfer-Encoding: chunked,'], 'unknown Transfer-Encoding'],
    [['Transfer-Encoding: chunked\xa0'], 'unknown Transfer-Encoding'],
    [['Transfer-Encoding: \xa0chunked'], 'unknown Transfer-Encoding'],
    [['Transfer-Encoding:'], 'unknown Transfer-Encoding'],
  ] as const) {
    test(`is not guessed: ${lines.join(' and ')}`, () => {
      expect(refusal(head(lines))).toBe(why)
      expect(refusal(head(lines, 'HTTP/1.1 304 Not Modified\r\n'))).toBe(why)
      expect(refusal(head(lines), 'HEAD')).toBe(why)
    })
  }

  test('has no chunks in HTTP/1.0', () => {
    expect(refusal(head(['Transfer-Encoding: chunked'], 'HTTP/1.0 200 OK\r\n'))).toBe('Transfer-Encoding in HTTP/1.0')
  })
})

describe('a connection', () => {
  const LENGTH = 'Content-Length: 0'
  for (const { lines, isKept, start = OK } of [
    { lines: [LENGTH], isKept: true },
    { lines: [LENGTH, 'Connection: keep-alive'], isKept: true },
    { lines: [LENGTH, 'Connection: close'], isKept: false },
    { lines: [LENGTH, 'Connection: Close'], isKept: false },
    { lines: [LENGTH, 'Connection: close \t'], isKept: false },
    { lines: [LENGTH, 'Connection: X-A, close'], isKept: false },
    { lines: [LENGTH, 'Connection: X-A', 'Connection:close'], isKept: false },
    { lines: [LENGTH, 'Connection: closed'], isKept: true },
    { lines: [], isKept: false },
    { lines: [LENGTH], start: 'HTTP/1.0 200 OK\r\n', isKept: false },
    { lines: [LENGTH, 'Connection: Keep-Alive'], start: 'HTTP/1.0 200 OK\r\n', isKept: true },
    { lines: [], start: 'HTTP/1.1 204 No\r\n', isKept: true },
    { lines: [LENGTH], start: 'HTTP/1.1 204 No\r\n', isKept: true },
    { lines: ['Content-Length: 5'], start: 'HTTP/1.1 204 No\r\n', isKept: false },
    { lines: ['Transfer-Encoding: chunked'], start: 'HTTP/1.1 204 No\r\n', isKept: false },
    { lines: ['Content-Length: 5'], start: 'HTTP/1.1 304 Not Modified\r\n', isKept: true },
  ]) {
    test(`is ${isKept ? 'kept' : 'closed'} after ${JSON.stringify([start.trim(), ...lines])}`, () => {
      expect(read(lines, { start }).isKept).toBe(isKept)
    })
  }

  for (const [value, keptForMs] of [
    ['timeout=5', 5_000],
    ['timeout=5, max=100', 5_000],
    ['max=100, Timeout=72', 72_000],
    ['timeout=0', 0],
    ['max=100', undefined],
    ['timeout=soon', undefined],
    ['xtimeout=5', undefined],
  ] as const) {
    test(`is kept as long as Keep-Alive says: ${value}`, () => {
      expect(read([LENGTH, `Keep-Alive: ${value}`]).keptForMs).toBe(keptForMs)
    })
  }
})
