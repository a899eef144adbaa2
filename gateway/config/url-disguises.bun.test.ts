import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { refuseUrl } from './url.ts'

/** Public spellings of addresses that have fooled servers, each with the reason it is refused here, or why it may stand. */

interface Group {
  /** Words of the refusal; undefined when the address is accepted. */
  readonly refusal: RegExp | undefined
  readonly urls: readonly string[]
}

/** The file itself says which hosts are called, so that a public name is as welcome as a local one when it is plain. */
const GROUPS: Readonly<Record<string, Group>> = {
  'unspecified address': {
    refusal: /unspecified address/,
    urls: ['http://0.0.0.0:22', 'http://0.0.0.0:80', 'http://0/', 'http://[::]:80/', 'https://0.0.0.0:443'],
  },
  'disguised address': {
    refusal: /must be written plainly|in disguise/,
    urls: [
      'http://0177.0.0.1/',
      'http://0x7f000001',
      'http://0xc0a80101',
      'http://127.0.1',
      'http://127.1',
      'http://2130706433/',
      'http://3232235521/',
      'http://3232235777/',
      'http://[0000::1]:80/',
      'http://[0:0:0:0:0:ffff:127.0.0.1]',
      'http://[::ffff:127.0.0.1]',
      'http://ⓔⓧⓐⓜⓟⓛⓔ.ⓒⓞⓜ',
    ],
  },
  'no http URL': {
    refusal: /expected an http/,
    urls: ['http://0o177.0.0.1/', 'http://](#http', 'http://o177.0.0.1/', 'http://q177.0.0.1/', 'http:127.0.0.1/'],
  },
  'link-local address': {
    refusal: /link-local address/,
    urls: [
      'http://0xa9fea9fe',
      'http://169.254.169.254',
      'http://169.254.169.254/latest/meta-data/',
      'http://2852039166/',
    ],
  },
  'plainly public': {
    refusal: undefined,
    urls: [
      'http://1.1.1.1',
      'http://1u.ms',
      'http://google.com:80/',
      'http://redirect-server',
      'https://62epax5fhvj3zzmzigyoe5ipkbn7fysllvges3a.302.r3dir.me',
      'https://developer.mozilla.org/en-US/docs/Web/HTTP/Status/307',
      'https://developer.mozilla.org/en-US/docs/Web/HTTP/Status/308',
      'https://imgur.com/vidgif/url',
      'https://web.archive.org/web/20251203033430/https://buer.haus/2016/04/18/esea-server-side-request-forgery-and-querying-aws-meta-data/',
      'https://web.archive.org/web/20260301043216/https://quanyang.github.io/x-ctf-finals-2016-john-slick-web-25/',
    ],
  },
  'plainly local or private': {
    refusal: undefined,
    urls: [
      'http://127.0.0.0',
      'http://127.0.0.1',
      'http://127.0.0.1/',
      'http://127.0.0.1/%2561dmin',
      'http://127.0.0.1/%61dmin',
      'http://127.0.0.1:22',
      'http://127.0.0.1:443',
      'http://127.0.0.1:80',
      'http://127.0.1.3',
      'http://127.127.127.127',
      'http://192.168.0.1',
      'http://192.168.1.1',
      'http://ip6-localhost',
      'http://ip6-loopback',
      'http://localhost',
      'http://localhost:22',
      'http://localhost:80',
      'https://127.0.0.1:443',
      'https://localhost:443',
    ],
  },
  'no host name': { refusal: /is not a host name/, urls: ['http://127.0.0.1!/', 'https://127.0.0.1!/'] },
  credentials: {
    refusal: /user name or password/,
    urls: [
      'http://127.1.1.1:80#\\@127.2.2.2:80/',
      'http://127.1.1.1:80:\\@@127.2.2.2:80/',
      'http://127.1.1.1:80\\@127.2.2.2:80/',
      'http://127.1.1.1:80\\@@127.2.2.2:80/',
    ],
  },
  'query, fragment, backslash or space': {
    refusal: /no query, fragment, backslash or space/,
    urls: [
      'http://test???test.com',
      'http://test???test.com",',
      'https://307.r3dir.me/--to/?url=http://localhost',
      'https://example.com/ssrf.php?url=http://brutelogic.com.br/poc.svg',
    ],
  },
}

describe('an address made to deceive', () => {
  const cases = Object.entries(GROUPS).flatMap(([reason, { refusal, urls }]) =>
    urls.map((url) => ({ url, reason, refusal })),
  )

  test.each(cases)('is judged as $reason: $url', ({ url, refusal }) => {
    if (refusal) expect(refuseUrl(url)).toMatch(refusal)
    else expect(refuseUrl(url)).toBe(undefined)
  })

  test('is none of the public list that is not judged above', () => {
    const folder = process.env.TEST_VECTORS
    if (!folder) {
      expect(process.env.CI, 'TEST_VECTORS is not set').not.toBe('true')
      return
    }
    const listed = readFileSync(join(folder, 'payload-lists/ssrf-urls.txt'), 'utf8').split('\n').filter(Boolean)
    expect(listed).toHaveLength(65)
    expect(cases.map(({ url }) => url).sort()).toEqual(listed.sort())
  })
})
