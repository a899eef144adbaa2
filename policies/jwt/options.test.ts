import { beforeAll, describe, expect, test } from 'bun:test'
import { checkOptions, options } from './options.ts'
import { createTestKey, type TestKey } from './test-issuer.ts'

let ec: TestKey
let rsa: TestKey

beforeAll(async () => {
  ec = await createTestKey('ES256', 'ec')
  rsa = await createTestKey('RS256', 'rsa')
})

const SECRET = 'correct-horse-battery-staple-and-more'
const published = {
  jwks: 'https://id.example/keys',
  issuer: 'https://id.example',
  audience: 'shop',
  algorithms: ['ES256'],
}
const shared = { issuer: 'https://id.example', audience: 'shop', algorithms: ['HS256'] }

/** Every mistake, wherever it is found, as `path: message`. */
function mistakesOf(given: unknown): string[] {
  const parsed = options.safeParse(given)
  if (!parsed.success) return parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  return checkOptions(parsed.data).map(({ path, message }) => `${path.join('.')}: ${message}`)
}

describe('good options', () => {
  const good = [
    { name: 'are a published key set', given: () => published },
    {
      name: 'are a key set on this machine over http',
      given: () => ({ ...published, jwks: 'http://127.0.0.1:9101/keys' }),
    },
    {
      name: 'are a key set over http where that was asked for',
      given: () => ({ ...published, jwks: 'http://users:9101/keys', 'allow-http': true }),
    },
    { name: 'are a JWK', given: () => ({ ...published, jwks: undefined, keys: [ec.jwk] }) },
    { name: 'are a PEM', given: () => ({ ...published, jwks: undefined, keys: [{ pem: ec.pem, kid: 'ec' }] }) },
    { name: 'are a long shared secret', given: () => ({ ...shared, keys: [{ secret: SECRET }] }) },
  ]
  test.each(good)('$name', ({ given }) => {
    expect(mistakesOf(given())).toEqual([])
  })

  test('tolerate no difference of clocks unless told to', () => {
    const { 'clock-tolerance': tolerance, forward } = options.parse(published)
    expect({ tolerance, forward }).toEqual({ tolerance: undefined, forward: false })
  })

  test('take required claims as a list or as a map', () => {
    const required = (value: unknown) => options.parse({ ...published, 'required-claims': value })['required-claims']
    expect(required(['a'])).toEqual({ a: [] })
    expect(required({ a: 'x', b: ['y', 1], c: true })).toEqual({ a: ['x'], b: ['y', 1], c: [true] })
  })

  test('reserve nothing unless claims are sent', () => {
    expect(options.parse(published)['claims-to-headers']).toEqual({})
  })
})

describe('mistakes', () => {
  const mistakes = [
    { name: 'are no algorithms', given: () => ({ ...published, algorithms: undefined }), at: 'algorithms' },
    { name: 'are an empty list of algorithms', given: () => ({ ...published, algorithms: [] }), at: 'algorithms' },
    { name: 'are the algorithm none', given: () => ({ ...published, algorithms: ['none'] }), at: 'algorithms.0' },
    {
      name: 'are algorithms that invite confusion',
      given: () => ({ ...published, algorithms: ['ES256', 'HS256'] }),
      at: 'algorithms',
    },
    {
      name: 'are shared secrets from a public place',
      given: () => ({ ...published, algorithms: ['HS256'] }),
      at: 'algorithms',
    },
    {
      name: 'are keys at the address where clouds keep credentials',
      given: () => ({ ...published, jwks: 'https://169.254.169.254/keys' }),
      at: 'jwks',
    },
    { name: 'are no issuer', given: () => ({ ...published, issuer: undefined }), at: 'issuer' },
    { name: 'are no audience', given: () => ({ ...published, audience: undefined }), at: 'audience' },
    { name: 'are no keys at all', given: () => ({ ...published, jwks: undefined }), at: '' },
    { name: 'are two sources of keys', given: () => ({ ...published, keys: [ec.jwk] }), at: '' },
    { name: 'are keys over plain http', given: () => ({ ...published, jwks: 'http://id.example/keys' }), at: 'jwks' },
    {
      name: 'are keys over http from a host that looks local',
      given: () => ({ ...published, jwks: 'http://127.0.0.1.evil.example/' }),
      at: 'jwks',
    },
    { name: 'are keys from a file', given: () => ({ ...published, jwks: 'file:///etc/passwd' }), at: 'jwks' },
    { name: 'are a URL with a password', given: () => ({ ...published, jwks: 'https://a:b@id.example/' }), at: 'jwks' },
    { name: 'are an unknown option', given: () => ({ ...published, audiences: 'shop' }), at: '' },
    { name: 'are a scope with a space', given: () => ({ ...published, scopes: ['a b'] }), at: 'scopes.0' },
    { name: 'are a realm with a quote', given: () => ({ ...published, realm: 'a"b' }), at: 'realm' },
    {
      name: 'are stale keys that go before fresh ones',
      given: () => ({ ...published, 'stale-for': '1m' }),
      at: 'stale-for',
    },
    {
      name: 'are a claim in a header the gateway needs',
      given: () => ({ ...published, 'claims-to-headers': { sub: 'Host' } }),
      at: 'claims-to-headers.sub',
    },
    {
      name: 'are two claims in one header',
      given: () => ({ ...published, 'claims-to-headers': { sub: 'x-user', email: 'X-User' } }),
      at: 'claims-to-headers.email',
    },
  ]
  test.each(mistakes)('$name', ({ given, at }) => {
    expect(mistakesOf(given()).map((mistake) => mistake.split(': ', 1)[0])).toEqual([at])
  })

  const withKey = (key: unknown, algorithms = ['ES256', 'RS256']) => ({
    ...published,
    jwks: undefined,
    algorithms,
    keys: [key],
  })
  const ofKeys = [
    { name: 'are a private key', key: () => ({ ...ec.jwk, d: 'c2VjcmV0' }), message: 'private half' },
    {
      name: 'are a private PEM',
      key: () => ({ pem: '-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----' }),
      message: 'BEGIN PUBLIC KEY',
    },
    { name: 'are a key in no form', key: () => ({ kid: 'a' }), message: 'one of "pem", "secret"' },
    { name: 'are a key in two forms', key: () => ({ ...ec.jwk, pem: ec.pem }), message: 'one of "pem", "secret"' },
    {
      name: 'are a JWK without its numbers',
      key: () => ({ kty: 'EC', crv: 'P-256', x: 'AA' }),
      message: 'also needs y',
    },
    { name: 'are a key for encryption', key: () => ({ ...ec.jwk, use: 'enc' }), message: 'not for signatures' },
    {
      name: 'are a key that may not verify',
      key: () => ({ ...ec.jwk, key_ops: ['encrypt'] }),
      message: 'expected "verify"',
    },
    { name: 'are a short RSA key', key: () => ({ ...rsa.jwk, n: 'A'.repeat(171) }), message: '2048 bits' },
    {
      name: 'are a key that fits no algorithm',
      key: () => ({ ...ec.jwk, alg: 'ES384', crv: 'P-384' }),
      message: 'fits none',
    },
  ]
  test.each(ofKeys)('$name', ({ key, message }) => {
    expect(mistakesOf(withKey(key()))).toEqual([expect.stringContaining(message)])
  })

  const secrets = [
    { name: 'are a short secret', key: { secret: 'your-256-bit-secret' }, message: 'at least 32 bytes' },
    { name: 'are a short secret as a JWK', key: { kty: 'oct', k: 'c2VjcmV0' }, message: 'at least 32 bytes' },
    {
      name: 'are a famous secret',
      key: { secret: 'a-string-secret-at-least-256-bits-long' },
      message: 'published example',
    },
    { name: 'are a repetition', key: { secret: 'secret'.repeat(8) }, message: 'repeats' },
  ]
  test.each(secrets)('$name', ({ key, message }) => {
    const found = mistakesOf(withKey(key, ['HS256']))
    expect(found).toEqual([expect.stringContaining(message)])
    expect(JSON.stringify(found)).not.toContain('secretsecret')
  })

  test('are a secret too short for the longer hash', () => {
    expect(mistakesOf(withKey({ secret: SECRET }, ['HS256', 'HS512']))).toEqual([
      expect.stringContaining('at least 64 bytes'),
    ])
  })
})
