/** Signature algorithms of RFC 7518 and RFC 8037 that a route may allow. `none` is not among them, so it cannot be. */
export const ALGORITHMS = [
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
  'HS256',
  'HS384',
  'HS512',
  'PS256',
  'PS384',
  'PS512',
  'RS256',
  'RS384',
  'RS512',
] as const

export type Algorithm = (typeof ALGORITHMS)[number]

interface KeyShape {
  readonly kty: string
  readonly crv?: string
}

const SHAPES: Readonly<Record<Algorithm, KeyShape>> = {
  ES256: { kty: 'EC', crv: 'P-256' },
  ES384: { kty: 'EC', crv: 'P-384' },
  ES512: { kty: 'EC', crv: 'P-521' },
  EdDSA: { kty: 'OKP', crv: 'Ed25519' },
  Ed25519: { kty: 'OKP', crv: 'Ed25519' },
  HS256: { kty: 'oct' },
  HS384: { kty: 'oct' },
  HS512: { kty: 'oct' },
  PS256: { kty: 'RSA' },
  PS384: { kty: 'RSA' },
  PS512: { kty: 'RSA' },
  RS256: { kty: 'RSA' },
  RS384: { kty: 'RSA' },
  RS512: { kty: 'RSA' },
}

/** Bytes a shared secret must have at least: as many as the hash gives (RFC 7518 §3.2). */
const SECRET_BYTES: Readonly<Partial<Record<Algorithm, number>>> = { HS256: 32, HS384: 48, HS512: 64 }

/** True for algorithms whose key both signs and verifies. */
export function isSymmetric(algorithm: Algorithm): boolean {
  return SHAPES[algorithm].kty === 'oct'
}

/** Bytes a shared secret needs to serve any of these algorithms; 0 when none of them takes a secret. */
export function secretBytesNeeded(algorithms: readonly Algorithm[]): number {
  return Math.max(0, ...algorithms.map((algorithm) => SECRET_BYTES[algorithm] ?? 0))
}

/** Those of `algorithms` that a key of this shape can serve. */
export function servedBy(key: KeyShape & { readonly alg?: string }, algorithms: readonly Algorithm[]): Algorithm[] {
  return algorithms.filter((algorithm) => {
    const { kty, crv } = SHAPES[algorithm]
    return kty === key.kty && (crv === undefined || crv === key.crv) && (key.alg === undefined || key.alg === algorithm)
  })
}
