import { describe, expect, test } from 'bun:test'
import { quickestRun } from '../../tests/support/real-time.ts'
import { normalizePath } from './request-path.ts'

describe('a request path', () => {
  const normal: readonly (readonly [string, string])[] = [
    ['/', '/'],
    ['/a/b', '/a/b'],
    ['/a/b/', '/a/b/'],
    ['/a/./b', '/a/b'],
    ['/a/../b', '/b'],
    ['/a/..', '/'],
    ['/a/.', '/a/'],
    ['/..', '/'],
    ['/../../a', '/a'],
    ['/a/%2e%2E/b', '/b'],
    ['/a/.%2e/b', '/b'],
    ['/...', '/...'],
    ['/.well-known/x', '/.well-known/x'],
    ['/a..b', '/a..b'],
    ['/%61%7e', '/a~'],
    ['/%c3%a9', '/%C3%A9'],
    ['/%25', '/%25'],
    ['/%2561', '/%2561'],
    ['/a%20b', '/a%20b'],
    ["/!$&'()*+,;=:@", "/!$&'()*+,;=:@"],
  ]
  for (const [raw, path] of normal) {
    test(`${raw} has the one spelling ${path}`, () => {
      expect(normalizePath(raw)).toEqual({ path })
    })
  }

  test('has the same spelling when it is normalised again', () => {
    for (const [, path] of normal) expect(normalizePath(path)).toEqual({ path })
  })

  const refused: readonly (readonly [string, RegExp])[] = [
    ['', /must begin/],
    ['a', /must begin/],
    ['*', /must begin/],
    ['//', /empty segment/],
    ['/a//b', /empty segment/],
    ['/a%2Fb', /encoded slash/],
    ['/a%5cb', /encoded slash or backslash/],
    ['/a\\b', /backslash/],
    ['/a%00', /control/],
    ['/a%0a', /control/],
    ['/a%7F', /control/],
    ['/a b', /control character or a space/],
    ['/a\u0000b', /control/],
    ['/a%', /malformed/],
    ['/a%2', /malformed/],
    ['/a%zz', /malformed/],
    ['/a%%41', /malformed/],
    ['/%c3%28', /UTF-8/],
    ['/%c0%af', /UTF-8/],
    ['/%ff', /UTF-8/],
    ['/%ed%a0%80', /UTF-8/],
  ]
  for (const [raw, reason] of refused) {
    test(`${JSON.stringify(raw)} is refused`, () => {
      expect(normalizePath(raw)).toEqual({ refusal: expect.stringMatching(reason) })
    })
  }

  test('of 16 KiB is read in no time, whatever is in it', async () => {
    const tookMs = await quickestRun(200, () => {
      for (const part of ['a', '/a', '/..', '/.', '%41', '%c3%a9', '(a+)+'])
        normalizePath(`/${part.repeat(16_384 / part.length)}`)
    })
    expect(tookMs).toBeLessThanOrEqual(200)
  })
})
