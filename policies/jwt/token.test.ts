import { describe, expect, test } from 'bun:test'
import { encode } from './test-issuer.ts'
import { MAX_TOKEN_CHARACTERS, readHeader } from './token.ts'

const token = (header: unknown) =>
  `${encode(typeof header === 'string' ? header : JSON.stringify(header))}.${encode('{}')}.c2ln`

describe('reading the header of a token', () => {
  const accepted = [
    { name: 'accepts the bare minimum', header: { alg: 'ES256' }, kid: undefined },
    {
      name: 'accepts a key id of any text',
      header: { alg: 'ES256', kid: "../../dev/null' OR 1=1 --" },
      kid: "../../dev/null' OR 1=1 --",
    },
    { name: 'accepts typ JWT', header: { alg: 'ES256', typ: 'JWT' }, kid: undefined },
    { name: 'accepts typ at+jwt', header: { alg: 'ES256', typ: 'at+jwt' }, kid: undefined },
    { name: 'accepts typ application/at+jwt', header: { alg: 'ES256', typ: 'application/AT+JWT' }, kid: undefined },
    {
      name: 'does not hand on embedded or referenced keys',
      header: { alg: 'ES256', jwk: { kty: 'EC' }, jku: 'https://evil.example', x5u: 'https://evil.example', x5c: [] },
      kid: undefined,
    },
  ]

  test.each(accepted)('$name', ({ header, kid }) => {
    expect(readHeader(token(header), ['ES256'])).toEqual({ algorithm: 'ES256', kid })
  })

  const refused = [
    { name: 'refuses alg none', header: { alg: 'none' }, reason: 'algorithm' },
    { name: 'refuses alg None', header: { alg: 'None' }, reason: 'algorithm' },
    { name: 'refuses alg NONE', header: { alg: 'NONE' }, reason: 'algorithm' },
    { name: 'refuses alg nOnE', header: { alg: 'nOnE' }, reason: 'algorithm' },
    { name: 'refuses no alg', header: {}, reason: 'algorithm' },
    { name: 'refuses an alg that is a list', header: { alg: ['ES256'] }, reason: 'algorithm' },
    { name: 'refuses an alg that is not configured', header: { alg: 'HS256' }, reason: 'algorithm' },
    { name: 'refuses an alg in another case', header: { alg: 'es256' }, reason: 'algorithm' },
    { name: 'refuses a key id that is a number', header: { alg: 'ES256', kid: 1 }, reason: 'malformed' },
    { name: 'refuses a key id that is an object', header: { alg: 'ES256', kid: { a: 1 } }, reason: 'malformed' },
    { name: 'refuses a critical extension', header: { alg: 'ES256', crit: ['exp'], exp: 1 }, reason: 'malformed' },
    { name: 'refuses an unencoded payload', header: { alg: 'ES256', crit: ['b64'], b64: false }, reason: 'malformed' },
    { name: 'refuses b64 that is not critical', header: { alg: 'ES256', b64: false }, reason: 'malformed' },
    { name: 'refuses another type', header: { alg: 'ES256', typ: 'logout+jwt' }, reason: 'malformed' },
    { name: 'refuses a type that is no text', header: { alg: 'ES256', typ: 1 }, reason: 'malformed' },
    { name: 'refuses a header that is a list', header: '["ES256"]', reason: 'malformed' },
    { name: 'refuses a header that is no JSON', header: '{alg', reason: 'malformed' },
  ]

  test.each(refused)('$name', ({ header, reason }) => {
    expect(() => readHeader(token(header), ['ES256'])).toThrow(expect.objectContaining({ name: 'Refusal', reason }))
  })

  const good = token({ alg: 'ES256' })
  const [head = '', payload = '', signature = ''] = good.split('.')
  const misshapen = [
    { name: 'refuses an empty text', text: '' },
    { name: 'refuses one part', text: head },
    { name: 'refuses an empty signature', text: `${head}.${payload}.` },
    { name: 'refuses no header', text: `.${payload}.${signature}` },
    { name: 'refuses four parts', text: `${good}.${signature}` },
    { name: 'refuses padding', text: `${good}=` },
    { name: 'refuses the plain base64 alphabet', text: `${head}.${payload}.a+/b` },
    { name: 'refuses bits that no byte uses in the signature', text: `${head}.${payload}.c2lnbb` },
    { name: 'refuses bits that no byte uses in the payload', text: `${head}.AB.${signature}` },
    { name: 'refuses half a byte', text: `${head}.${payload}.c2lnb` },
    { name: 'refuses the JSON serialisation', text: JSON.stringify({ protected: head, payload, signature }) },
    { name: 'refuses a token that is too long', text: `${good}${'A'.repeat(MAX_TOKEN_CHARACTERS)}` },
  ]

  test.each(misshapen)('$name', ({ text }) => {
    expect(() => readHeader(text, ['ES256'])).toThrow(expect.objectContaining({ reason: 'malformed' }))
  })
})
