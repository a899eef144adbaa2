import { describe, expect, test } from 'bun:test'
import { refuseHost, refuseUrl } from './url.ts'

const USER = 'the URL must not hold a user name or password'
const EXTRA = 'the URL must have no query, fragment, backslash or space'

describe('the address of an upstream', () => {
  test.each([
    'http://127.0.0.1:9102',
    'http://localhost:9102/base/path',
    'http://10.1.2.3',
    'http://192.168.0.1:8080/',
    'http://[::1]:9102',
    'http://[fd00::1]/x',
    'https://orders.internal',
    'https://api.example.com:8443/v1',
    'HTTPS://API.example.com',
    'http://my_service:80',
    'http://xn--mnchen-3ya.example',
    'http://a.test:80',
    'https://a.test:443/',
  ])('may be %s', (text) => {
    expect(refuseUrl(text)).toBe(undefined)
  })

  test.each([
    ['', 'expected an http:// or https:// URL, found ""'],
    ['orders', 'expected an http:// or https:// URL, found "orders"'],
    ['localhost:80', 'expected an http:// or https:// URL, found "localhost:80"'],
    ['file:///etc/passwd', 'expected an http:// or https:// URL, found "file:///etc/passwd"'],
    ['ftp://a.test', 'expected an http:// or https:// URL, found "ftp://a.test"'],
    ['javascript:alert(1)', 'expected an http:// or https:// URL, found "javascript:alert(1)"'],
    ['http:/a.test', 'expected an http:// or https:// URL, found "http:/a.test"'],
    ['http://', 'expected an http:// or https:// URL, found "http://"'],
    ['http://a.test:99999', 'expected an http:// or https:// URL, found "http://a.test:99999"'],
    [' http://a.test', 'expected an http:// or https:// URL, found " http://a.test"'],
    ['http://user:secret@a.test', USER],
    ['htp://user:secret@a.test', USER],
    ['http://user@a.test', USER],
    ['http://@a.test', USER],
    ['http://a.test?x', EXTRA],
    ['http://a.test/?', EXTRA],
    ['http://a.test#x', EXTRA],
    ['http://a.test\\x', EXTRA],
    ['http://a.test/a b', EXTRA],
    ['http://a.test/\n', EXTRA],
    ['http://a.te\tst', EXTRA],
    ['http://127.1', 'the host must be written plainly: "127.0.0.1" instead of "127.1"'],
    ['http://2130706433:80/', 'the host must be written plainly: "127.0.0.1" instead of "2130706433"'],
    ['http://%6c%6fcalhost/', 'the host must be written plainly: "localhost" instead of "%6c%6fcalhost"'],
    ['http://[0:0:0:0:0:0:0:1]/', 'the host must be written plainly: "[::1]" instead of "[0:0:0:0:0:0:0:1]"'],
    ['http://[::ffff:10.0.0.1]/', '"[::ffff:a00:1]" is an IPv4 address in disguise: write 10.0.0.1'],
    ['http://169.254.169.254', '"169.254.169.254" is a link-local address, where no service lives'],
    ['http://0xa9fea9fe', '"169.254.169.254" is a link-local address, where no service lives'],
    ['http://[fe80::1]', '"[fe80::1]" is a link-local address, where no service lives'],
    ['http://0.0.0.0', '"0.0.0.0" is an unspecified address, where no service lives'],
    ['http://[::]', '"[::]" is an unspecified address, where no service lives'],
    ['http://255.255.255.255', '"255.255.255.255" is a broadcast address, where no service lives'],
    ['http://224.0.0.1', '"224.0.0.1" is a multicast address, where no service lives'],
    ['http://a.test,b.test', '"a.test,b.test" is not a host name'],
    ['http://-a.test', '"-a.test" is not a host name'],
  ])('may not be %s', (text, refusal) => {
    expect(refuseUrl(text)).toBe(refusal)
  })
})

describe('a host that a name resolved to', () => {
  test.each(['127.0.0.1', '10.0.0.1', '::1', '8.8.8.8', '2606:4700::1111', 'orders.internal'])('may be %s', (host) => {
    expect(refuseHost(host)).toBe(undefined)
  })

  test.each(['169.254.169.254', 'fe80::1', '::ffff:169.254.169.254', '0.0.0.0', '::', ''])(
    'may not be "%s"',
    (host) => {
      expect(refuseHost(host)).toEqual(expect.any(String))
    },
  )
})
