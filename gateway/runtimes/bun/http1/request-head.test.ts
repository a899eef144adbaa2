import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { type BodyLength, bodyLength, linesOfHost, writeHead, writeTarget } from './request-head.ts'

const write = (method: string, fields: Record<string, string>, length: BodyLength = 'none') =>
  writeHead({ method, target: '/a?b', hostLines: linesOfHost('up.test:8080'), fields: new Headers(fields), length })

describe('a head', () => {
  test('names the target, the host and the fields', () => {
    expect(write('GET', { 'X-B': '2', accept: '*/*' })).toBe(
      'GET /a?b HTTP/1.1\r\nhost: up.test:8080\r\nconnection: keep-alive\r\naccept: */*\r\nx-b: 2\r\n\r\n',
    )
  })

  test('names the host it is given, once', () => {
    expect(write('GET', { host: 'shop.test' })).toBe(
      'GET /a?b HTTP/1.1\r\nhost: shop.test\r\nconnection: keep-alive\r\n\r\n',
    )
  })

  for (const { method, length, line } of [
    { method: 'POST', length: 5, line: 'content-length: 5\r\n' },
    { method: 'POST', length: 'chunked', line: 'transfer-encoding: chunked\r\n' },
    { method: 'POST', length: 'none', line: 'content-length: 0\r\n' },
    { method: 'PUT', length: 'none', line: 'content-length: 0\r\n' },
    { method: 'PATCH', length: 'none', line: 'content-length: 0\r\n' },
    { method: 'DELETE', length: 'none', line: '' },
    { method: 'GET', length: 'none', line: '' },
    { method: 'DELETE', length: 0, line: 'content-length: 0\r\n' },
  ] as const) {
    test(`says how long the body of ${method} is: ${length}`, () => {
      expect(write(method, {}, length)).toBe(
        `${method} /a?b HTTP/1.1\r\nhost: up.test:8080\r\nconnection: keep-alive\r\n${line}\r\n`,
      )
    })
  }

  test('says one length, whatever the fields say', () => {
    const fields = { 'content-length': '7', 'transfer-encoding': 'gzip', connection: 'close', 'keep-alive': '5' }
    expect(write('POST', fields, 5)).toBe(
      'POST /a?b HTTP/1.1\r\nhost: up.test:8080\r\nconnection: keep-alive\r\ncontent-length: 5\r\n\r\n',
    )
  })

  test('has a line for each cookie that is set', () => {
    const headers = new Headers()
    headers.append('set-cookie', 'a=1')
    headers.append('set-cookie', 'b=2')
    const head = { method: 'GET', target: '/', hostLines: linesOfHost('h'), fields: headers, length: 'none' } as const
    expect(writeHead(head)).toContain('set-cookie: a=1\r\nset-cookie: b=2\r\n')
  })
})

/** Headers refuse what could begin another line; this is what `writeHead` rests on, whatever the version of Bun. */
describe('no value', () => {
  for (const value of ['a\r\nInjected: 1', 'a\nInjected: 1', 'a\rb', 'a\0b', 'a\u010d\u010ab', 'a\u0a0db']) {
    test(`begins another line: ${JSON.stringify(value)}`, () => {
      const headers = new Headers()
      expect(() => headers.set('x-a', value)).toThrow(TypeError)
      expect(() => headers.append('x-a', value)).toThrow(TypeError)
      expect(() => new Headers({ 'x-a': value })).toThrow(TypeError)
      expect(() => headers.set(value, 'x')).toThrow(TypeError)
    })
  }
})

describe('a target', () => {
  const ORIGIN = 'http://up.test:8080'
  for (const [path, target] of [
    ['/', '/'],
    ['', '/'],
    ['/a/b?c=d&e', '/a/b?c=d&e'],
    ['/a%2fb%0d%0a', '/a%2fb%0d%0a'],
    ['//a', '//a'],
    ['/a?', '/a?'],
    ["/-._~!$&'()*+,;=:@[]|", "/-._~!$&'()*+,;=:@[]|"],
    ['/a b', '/a%20b'],
    ['/ä', '/%C3%A4'],
    ['/a"<>`{}^', '/a%22%3C%3E%60%7B%7D%5E'],
    ['/a\\b', '/a/b'],
    ['/a#b', '/a'],
    ['/a\r\nb\tc', '/abc'],
    ['/a HTTP/1.1\r\nInjected: 1', '/a%20HTTP/1.1Injected:%201'],
    ['/\u010d\u010a', '/%C4%8D%C4%8A'],
    ['?a', '/?a'],
  ] as const) {
    test(`is written in characters a request line may hold: ${JSON.stringify(path)}`, () => {
      expect(writeTarget(ORIGIN, path)).toBe(target)
    })
  }

  test('never holds a space, a control character or one that is no ASCII', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (path) => {
        expect(writeTarget(ORIGIN, `/${path}`)).toMatch(/^\/[\x21-\x7e]*$/)
      }),
      { numRuns: 200 },
    )
  })
})

describe('a body', () => {
  const stream = new ReadableStream<Uint8Array>()
  for (const { name, body, declared, length } of [
    { name: 'that is not there has no length', body: null, declared: '5', length: 'none' },
    { name: 'of bytes is as long as they are', body: new Uint8Array(3), declared: '5', length: 3 },
    { name: 'that streams is as long as was said', body: stream, declared: '5', length: 5 },
    { name: 'that streams goes in chunks when nothing was said', body: stream, declared: undefined, length: 'chunked' },
    { name: 'that streams goes in chunks when nonsense was said', body: stream, declared: '5, 5', length: 'chunked' },
  ] as const) {
    test(name, () => {
      expect(
        bodyLength({ body, headers: new Headers(declared === undefined ? {} : { 'content-length': declared }) }),
      ).toBe(length)
    })
  }
})
