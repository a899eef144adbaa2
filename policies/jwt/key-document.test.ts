import { describe, expect, test } from 'bun:test'
import { readKeyDocument } from './key-document.ts'
import { createTestKey } from './test-issuer.ts'

const bytes = (document: unknown) =>
  new TextEncoder().encode(typeof document === 'string' ? document : JSON.stringify(document))

const { jwk } = await createTestKey('ES256', 'one')
const read = (...keys: unknown[]) => readKeyDocument(bytes({ keys }), ['ES256', 'RS256'])

describe('reading a published key set', () => {
  test('takes the keys that serve an accepted algorithm', () => {
    const { keys } = read(jwk)
    expect(keys.map(({ kid, algorithms }) => ({ kid, algorithms }))).toEqual([{ kid: 'one', algorithms: ['ES256'] }])
  })

  test('lets a key without alg serve every algorithm of its shape', () => {
    const { keys } = readKeyDocument(bytes({ keys: [{ kty: 'RSA', n: 'AQAB', e: 'AQAB' }] }), [
      'RS256',
      'ES256',
      'PS256',
    ])
    expect(keys[0]?.algorithms).toEqual(['RS256', 'PS256'])
  })

  const leftOut = [
    { name: 'leaves out a key for encryption', key: { ...jwk, use: 'enc' } },
    { name: 'leaves out a key that may not verify', key: { ...jwk, key_ops: ['encrypt'] } },
    { name: 'leaves out key operations that are no list', key: { ...jwk, key_ops: 'verify' } },
    { name: 'leaves out another curve', key: { ...jwk, crv: 'P-384' } },
    { name: 'leaves out another algorithm', key: { ...jwk, alg: 'ES384' } },
    { name: 'leaves out an unknown type', key: { ...jwk, kty: 'AKP' } },
    { name: 'leaves out a key id that is no text', key: { ...jwk, kid: 7 } },
    { name: 'leaves out coordinates that are no text', key: { ...jwk, x: 1 } },
    { name: 'leaves out what is no key', key: null },
  ]

  test.each(leftOut)('$name', ({ key }) => {
    expect(read(key, jwk).keys).toHaveLength(1)
  })

  test('leaves out a shared secret, which no public document may hold', () => {
    expect(readKeyDocument(bytes({ keys: [{ kty: 'oct', k: 'c2VjcmV0' }] }), ['HS256']).keys).toEqual([])
  })

  test('tells sets apart by their usable keys and by nothing else', () => {
    const same = read({ ...jwk, x5t: 'changed', ext: true }, { kty: 'unknown' })
    expect(same.fingerprint).toBe(read(jwk).fingerprint)
    expect(read({ ...jwk, kid: 'two' }).fingerprint).not.toBe(same.fingerprint)
  })

  const refused = [
    { name: 'refuses HTML', document: '<!doctype html><title>Sign in</title>' },
    { name: 'refuses nothing at all', document: '' },
    { name: 'refuses a list', document: [jwk] },
    { name: 'refuses null', document: 'null' },
    { name: 'refuses keys that are an object', document: { keys: { one: jwk } } },
    { name: 'refuses too many keys', document: { keys: Array.from({ length: 101 }, () => jwk) } },
    { name: 'refuses deep nesting', document: `{"keys":${'['.repeat(1_000)}${']'.repeat(1_000)}}` },
  ]

  test.each(refused)('$name', ({ document }) => {
    expect(() => readKeyDocument(bytes(document), ['ES256'])).toThrow(/key set/)
  })
})
