import { describe, expect, test } from 'bun:test'
import { ReplyReader } from './reply-reader.ts'
import { readPieces } from './test-recorded-reply.ts'

const OK = 'HTTP/1.1 200 OK\r\n'
const read = (text: string, method?: string) => readPieces([Buffer.from(text, 'latin1')], method)

describe('a head', () => {
  const filler = (bytes: number) => `${OK}X-A: ${'a'.repeat(bytes - OK.length - 'X-A: '.length)}\r\n\r\n`

  test('may have 64 KiB', () => {
    expect(read(filler(65_536))).toMatchObject({ status: 200, refusal: undefined })
  })

  test('of more is refused, whole or not', () => {
    const tooLong = filler(65_537)
    expect(read(tooLong).refusal).toBe('a head of more than 65536 bytes')
    expect(read(tooLong.slice(0, -4)).refusal).toBe('a head of more than 65536 bytes')
  })

  for (const text of [
    'SSH-2.0-OpenSSH',
    'H2',
    '\x15\x03\x01',
    'HTTP/2',
    '\r\n',
    'HTTP/1.1 200 OK\n',
    `${OK}X-A: 1\n`,
  ]) {
    test(`that can never become one is refused before its end: ${JSON.stringify(text)}`, () => {
      expect(read(text).refusal).toMatch(/no status line|a line that ends in LF alone/)
    })
  }

  test('may come after 16 informational ones', () => {
    const continues = 'HTTP/1.1 100 Continue\r\n\r\n'
    expect(read(`${continues.repeat(16)}${OK}Content-Length: 0\r\n\r\n`)).toMatchObject({ status: 200, isWhole: true })
    expect(read(continues.repeat(17)).refusal).toBe('informational replies without end')
  })

  test('that nobody asked for is refused: 101', () => {
    expect(read('HTTP/1.1 101 Switching Protocols\r\n\r\n').refusal).toBe('status 101')
  })

  for (const status of ['000', '099', '600', '999']) {
    test(`of no status is refused: ${status}`, () => {
      expect(read(`HTTP/1.1 ${status} What\r\nContent-Length: 0\r\n\r\n`).refusal).toBe(`status ${Number(status)}`)
    })
  }
})

describe('the end of the connection', () => {
  test('is the end of a body that says nothing of its length', () => {
    expect(read(`${OK}\r\nabc`)).toMatchObject({ body: 'abc', isWhole: true })
  })

  for (const text of [
    '',
    'HTTP/1.1 2',
    OK,
    `${OK}Content-Length: 3\r\n\r\nab`,
    `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\n`,
  ]) {
    test(`is no end of ${JSON.stringify(text)}`, () => {
      expect(read(text).isWhole).toBe(false)
    })
  }
})

test('what comes after the reply is told, and is no part of it', () => {
  expect(read(`${OK}Content-Length: 2\r\n\r\nokHTTP/1.1`)).toMatchObject({ body: 'ok', isMore: true })
  expect(read('HTTP/1.1 204 No Content\r\n\r\nx')).toMatchObject({ body: '', isMore: true })
  expect(read(`${OK}Content-Length: 2\r\n\r\nok`, 'HEAD')).toMatchObject({ body: '', isMore: true, isWhole: true })
})

describe('a reply has begun', () => {
  const reader = () => new ReplyReader({ head() {}, body() {}, end() {} })
  test('with its first byte', () => {
    const fresh = reader()
    expect(fresh.hasBegun).toBe(false)
    fresh.push(Buffer.from('H'))
    expect(fresh.hasBegun).toBe(true)
  })

  test('with an informational one', () => {
    const continued = reader()
    continued.push(Buffer.from('HTTP/1.1 100 Continue\r\n\r\n'))
    expect(continued.hasBegun).toBe(true)
  })
})
