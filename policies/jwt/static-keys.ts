import { base64url, importJWK, importSPKI, importX509, type JWK } from 'jose'
import { z } from 'zod'
import type { OptionMistake } from '../../gateway/core/policy.ts'
import { ALGORITHMS, type Algorithm, isSymmetric, secretBytesNeeded, servedBy } from './algorithms.ts'
import { type KeySet, loadOnce, type VerificationKey } from './key-set.ts'
import { weaknessOf } from './secrets.ts'

const encoded = z
  .string({ error: 'expected base64url text, as in a JWK' })
  .max(8_192, { error: 'expected at most 8192 characters' })
  .regex(/^[A-Za-z0-9_-]+$/, { error: 'expected base64url without padding, as in a JWK' })

/** One entry of `keys`: a public JWK written as it is, a PEM, or a shared secret. */
export const staticKey = z.strictObject({
  pem: z.string().max(16_384).optional().describe('Public key or certificate in PEM; instead of a JWK'),
  secret: z
    .string()
    .max(1_024)
    .optional()
    .describe('Shared secret for HS256, HS384 or HS512, as text; at least 32 bytes'),
  kid: z.string().max(256).optional().describe('Key id; tokens that name another are not tried with this key'),
  alg: z.enum(ALGORITHMS).optional().describe('The only algorithm this key may verify'),
  kty: z.enum(['EC', 'OKP', 'RSA', 'oct']).optional().describe('JWK: key type'),
  crv: z.enum(['P-256', 'P-384', 'P-521', 'Ed25519']).optional().describe('JWK: curve of an EC or OKP key'),
  x: encoded.optional().describe('JWK: x coordinate, or the public key of an OKP key'),
  y: encoded.optional().describe('JWK: y coordinate of an EC key'),
  n: encoded.optional().describe('JWK: modulus of an RSA key'),
  e: encoded.optional().describe('JWK: exponent of an RSA key'),
  k: encoded.optional().describe('JWK: value of an oct key, base64url; at least 32 bytes'),
  use: z.literal('sig', { error: 'expected "sig": this key is not for signatures' }).optional().describe('JWK: use'),
  key_ops: z
    .array(z.string())
    .refine((operations) => operations.includes('verify'), { error: 'expected "verify" among the operations' })
    .optional()
    .describe('JWK: permitted operations'),
  d: z
    .never({ error: 'this is the private half of the key; the gateway only verifies, so give it the public half' })
    .optional()
    .describe('JWK: never; private keys do not belong here'),
})

export type StaticKey = z.output<typeof staticKey>

/** Members a JWK must have, by type. */
const REQUIRED = { EC: ['crv', 'x', 'y'], OKP: ['crv', 'x'], RSA: ['n', 'e'], oct: ['k'] } as const

const PEM = /^-----BEGIN (PUBLIC KEY|CERTIFICATE)-----[\s\S]+-----END \1-----\s*$/
const MIN_RSA_BYTES = 256

/** What is wrong with one static key, given the algorithms of the mount; paths begin at `keys`. */
export function keyMistakes(key: StaticKey, index: number, algorithms: readonly Algorithm[]): OptionMistake[] {
  const at = (member: string | undefined, message: string): OptionMistake => ({
    path: member === undefined ? ['keys', index] : ['keys', index, member],
    message,
  })
  const given = (['pem', 'secret', 'kty'] as const).filter((form) => key[form] !== undefined)
  if (given.length !== 1) {
    return [at(undefined, 'a key is given as one of "pem", "secret" or a JWK with "kty"')]
  }
  if (key.pem !== undefined && !PEM.test(key.pem.trim())) {
    return [at('pem', 'expected "-----BEGIN PUBLIC KEY-----" or "-----BEGIN CERTIFICATE-----"')]
  }
  const missing = key.kty ? REQUIRED[key.kty].filter((member) => key[member] === undefined) : []
  if (missing.length > 0) return [at(undefined, `a JWK of type "${key.kty}" also needs ${missing.join(', ')}`)]
  if (key.n !== undefined && byteLength(key.n) < MIN_RSA_BYTES) {
    return [at('n', 'an RSA key needs at least 2048 bits (RFC 7518 §3.3)')]
  }
  const served = algorithmsOf(key, algorithms)
  if (served.length === 0) return [at(undefined, `this key fits none of the algorithms ${algorithms.join(', ')}`)]
  return secretMistakes(key, served).map(({ member, message }) => at(member, message))
}

function secretMistakes(key: StaticKey, served: readonly Algorithm[]): { member: string; message: string }[] {
  const member = key.secret === undefined ? 'k' : 'secret'
  const size = key.secret === undefined ? byteLength(key.k ?? '') : new TextEncoder().encode(key.secret).byteLength
  const needed = secretBytesNeeded(served)
  if (size < needed) {
    const message = `a secret for ${served.join(', ')} needs at least ${needed} bytes, this one has ${size} (RFC 7518 §3.2)`
    return [{ member, message: `${message}; make one with "openssl rand -base64 48"` }]
  }
  const weakness = weaknessOf(key.secret ?? key.k ?? '')
  // Bytes in base64url were made by a tool; only what a human typed is suspected of repetition.
  if (weakness === undefined || (key.secret === undefined && weakness.includes('repeats'))) return []
  return [{ member, message: `this secret protects nothing: ${weakness}; make one with "openssl rand -base64 48"` }]
}

/** The keys of the configuration as a set that never changes. */
export function toKeySet(keys: readonly StaticKey[], algorithms: readonly Algorithm[]): KeySet {
  return { keys: keys.map((key) => toVerificationKey(key, algorithms)) }
}

function toVerificationKey(key: StaticKey, algorithms: readonly Algorithm[]): VerificationKey {
  return {
    kid: key.kid,
    algorithms: algorithmsOf(key, algorithms),
    load: loadOnce((algorithm) => load(key, algorithm)),
  }
}

function load({ pem, secret, ...jwk }: StaticKey, algorithm: Algorithm): ReturnType<VerificationKey['load']> {
  if (secret !== undefined) return importSecret(new TextEncoder().encode(secret), algorithm)
  if (jwk.k !== undefined) return importSecret(base64url.decode(jwk.k), algorithm)
  if (pem === undefined) return importJWK(Object.fromEntries(Object.entries(jwk)) as JWK, algorithm)
  return pem.includes('CERTIFICATE') ? importX509(pem.trim(), algorithm) : importSPKI(pem.trim(), algorithm)
}

/** As a `CryptoKey`, because jose imports plain bytes anew for every token. */
function importSecret(secret: Uint8Array, algorithm: Algorithm): ReturnType<VerificationKey['load']> {
  const parameters = { name: 'HMAC', hash: `SHA-${algorithm.slice(2)}` }
  return crypto.subtle.importKey('raw', new Uint8Array(secret), parameters, false, ['verify'])
}

/** A PEM does not say what it holds before it is imported, so it is tried for every asymmetric algorithm. */
function algorithmsOf(key: StaticKey, algorithms: readonly Algorithm[]): Algorithm[] {
  const { alg, crv } = key
  const only = alg === undefined ? {} : { alg }
  if (key.pem !== undefined) {
    return algorithms.filter((name) => !isSymmetric(name) && (alg === undefined || alg === name))
  }
  if (key.secret !== undefined) return servedBy({ kty: 'oct', ...only }, algorithms)
  return servedBy({ kty: key.kty ?? '', ...(crv === undefined ? {} : { crv }), ...only }, algorithms)
}

function byteLength(text: string): number {
  return Math.floor((text.length * 3) / 4)
}
