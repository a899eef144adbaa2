import { exportJWK, generateKeyPair, SignJWT } from 'jose'

export interface Tokens {
  /** The public half, as a JWK Set. */
  readonly jwks: string
  /** One for each caller. */
  readonly tokens: readonly string[]
}

/** Signs a token for each of so many callers with one new ES256 key, good for an hour. */
export async function signTokens(callers: number): Promise<Tokens> {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const jwk = { ...(await exportJWK(publicKey)), kid: 'bench', alg: 'ES256', use: 'sig' }
  const sign = (caller: number) =>
    new SignJWT({ scope: 'orders:read' })
      .setProtectedHeader({ alg: 'ES256', kid: 'bench', typ: 'JWT' })
      .setIssuer('https://users.bench.example')
      .setAudience('bench')
      .setSubject(`caller-${caller}`)
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(privateKey)
  return {
    jwks: JSON.stringify({ keys: [jwk] }),
    tokens: await Promise.all(Array.from({ length: callers }, (_, i) => sign(i))),
  }
}
