import { describe, expect, test } from 'bun:test'
import { createClientReader, type TrustRule } from './client.ts'

function read(rule: TrustRule, fields: Record<string, string> = {}, ip: string | undefined = '10.0.0.9') {
  const headers = { host: 'shop.test', ...fields }
  return createClientReader(rule)(new Request('http://shop.test/', { headers }), { ip }, headers.host)
}

const CHAIN = { 'x-forwarded-for': '0.0.0.1, 0.0.0.2, 0.0.0.3' }

describe('without trust', () => {
  test('the client is the other end of the socket, whatever it says', () => {
    const client = read('none', {
      ...CHAIN,
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'evil.test',
      'cf-connecting-ip': '1.2.3.4',
      'x-real-ip': '1.2.3.4',
    })
    expect(client).toEqual({ ip: '10.0.0.9', peer: '10.0.0.9', trusted: false, protocol: 'http', host: 'shop.test' })
  })

  test('it may have no address', () => {
    expect(createClientReader('none')(new Request('http://a.test/'), {}, 'a.test').ip).toBeUndefined()
  })
})

describe('behind a number of proxies', () => {
  for (const [hops, ip] of [
    [1, '0.0.0.3'],
    [2, '0.0.0.2'],
    [3, '0.0.0.1'],
    [4, '0.0.0.1'],
    [32, '0.0.0.1'],
  ] as const) {
    test(`the client is ${ip} after ${hops}`, () => {
      expect(read({ hops }, CHAIN)).toMatchObject({ ip, peer: '10.0.0.9', trusted: true })
    })
  }

  test('the client is the peer when the field is missing or holds no address there', () => {
    for (const value of [undefined, '', 'unknown', '1.2.3.4, _hidden', '1.2.3.4,', '1.2.3.4:80']) {
      expect([value, read({ hops: 1 }, value === undefined ? {} : { 'x-forwarded-for': value }).ip]).toEqual([
        value,
        '10.0.0.9',
      ])
    }
  })
})

describe('behind known networks', () => {
  const rule: TrustRule = { cidrs: ['10.0.0.0/8', '2001:db8::/32'] }

  test('the client is the last address that is not theirs', () => {
    expect(read(rule, { 'x-forwarded-for': '6.6.6.6, 203.0.113.7, 10.1.1.1' }).ip).toBe('203.0.113.7')
    expect(read(rule, { 'x-forwarded-for': '2001:db9::1, 2001:db8::7' }, '2001:db8::9').ip).toBe('2001:db9::1')
  })

  test('the client is the first when all are theirs', () => {
    expect(read(rule, { 'x-forwarded-for': '10.2.2.2, 10.1.1.1' }).ip).toBe('10.2.2.2')
  })

  test('a peer from elsewhere is not believed', () => {
    expect(read(rule, CHAIN, '203.0.113.9')).toMatchObject({ ip: '203.0.113.9', trusted: false })
    expect(createClientReader(rule)(new Request('http://a.test/', { headers: CHAIN }), {}, 'a.test')).toMatchObject({
      trusted: false,
    })
  })

  test('an IPv4 address in IPv6 clothes belongs to the IPv4 network', () => {
    expect(read(rule, CHAIN, '::ffff:10.0.0.1').trusted).toBe(true)
  })

  test('words that are no address leave the peer as the client', () => {
    expect(read(rule, { 'x-forwarded-for': 'unknown' }).ip).toBe('10.0.0.9')
  })
})

describe('on Cloudflare', () => {
  test('the client is who Cloudflare says', () => {
    expect(read({ platform: 'cloudflare' }, { 'cf-connecting-ip': '203.0.113.7', ...CHAIN }).ip).toBe('203.0.113.7')
    for (const nonsense of ['nonsense', '', '01.2.3.4', '0x1.2.3.4', '16909060']) {
      const told = read({ platform: 'cloudflare' }, { 'cf-connecting-ip': nonsense })
      expect(told.ip).toBe(told.peer)
      expect(told.ip).toBeDefined()
    }
  })
})

describe('a trusted proxy', () => {
  test('is believed about protocol and host when these are possible', () => {
    expect(read({ hops: 1 }, { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'www.test:8443' })).toMatchObject({
      protocol: 'https',
      host: 'www.test:8443',
    })
    for (const host of ['evil.test/admin#', 'a.test, b.test', 'a b', 'u@h']) {
      expect(read({ hops: 1 }, { 'x-forwarded-host': host, 'x-forwarded-proto': 'gopher' })).toMatchObject({
        protocol: 'http',
        host: 'shop.test',
      })
    }
  })
})
