import { exportJWK, generateKeyPair, type JSONWebKeySet, SignJWT } from 'jose'
import type { Account } from './accounts.ts'

/** `iss` of every token of the shop. */
export const ISSUER = 'https://users.shop.example'
/** `aud` of every token of the shop. */
export const AUDIENCE = 'shop'
/** How long a token is good, in seconds. */
export const TOKEN_LIFETIME_S = 3_600

/** Signs access tokens and publishes the key to check them with. */
export interface TokenIssuer {
  issue(account: Account): Promise<string>
  readonly jwks: JSONWebKeySet
}

/** Makes a fresh ES256 key; tokens signed before a restart are worthless after it. */
export async function createTokenIssuer(now: () => number): Promise<TokenIssuer> {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const kid = crypto.randomUUID()
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' }] }
  return {
    jwks,
    issue({ id, name, roles }) {
      const issuedAt = Math.floor(now() / 1_000)
      return new SignJWT({ name, roles })
        .setProtectedHeader({ alg: 'ES256', typ: 'JWT', kid })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setSubject(id)
        .setIssuedAt(issuedAt)
        .setExpirationTime(issuedAt + TOKEN_LIFETIME_S)
        .setJti(crypto.randomUUID())
        .sign(privateKey)
    },
  }
}
