import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from 'jose'
import type { Algorithm } from './algorithms.ts'

/** Issuer and audience of the tokens that a test issuer makes. */
export const ISSUER = 'https://issuer.example'
export const AUDIENCE = 'shop'

/** Where a test issuer publishes its keys. */
export const JWKS_URL = 'https://issuer.example/.well-known/jwks.json'

/** A signing key of a test issuer. */
export interface TestKey {
  readonly jwk: JWK
  readonly pem: string
  /** Signs claims; members of `header` replace the usual ones. */
  sign(claims: Readonly<Record<string, unknown>>, header?: Readonly<Record<string, unknown>>): Promise<string>
}

/** Makes a key pair for tests. */
export async function createTestKey(algorithm: Algorithm, kid: string): Promise<TestKey> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true })
  return {
    jwk: { ...(await exportJWK(publicKey)), kid, alg: algorithm, use: 'sig' },
    pem: await exportSPKI(publicKey),
    sign: (claims, header = {}) =>
      new SignJWT(claims as Record<string, unknown>)
        .setProtectedHeader({ alg: algorithm, kid, ...header })
        .sign(privateKey as CryptoKey),
  }
}

/** Claims every test accepts, for `now` in milliseconds since the epoch; valid for five minutes. */
export function goodClaims(nowMs: number, others: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const now = Math.floor(nowMs / 1_000)
  return { iss: ISSUER, aud: AUDIENCE, sub: 'alice', iat: now, exp: now + 300, ...others }
}

/** A token of these very texts, signed with a shared secret: for headers and payloads no library would write. */
export async function signRaw(header: string, payload: string, secret: Uint8Array): Promise<string> {
  const input = `${encode(header)}.${encode(payload)}`
  const parameters = { name: 'HMAC', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('raw', new Uint8Array(secret), parameters, false, ['sign'])
  const signature = await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(input))
  return `${input}.${encodeBytes(new Uint8Array(signature))}`
}

/** Base64url of a text. */
export function encode(text: string): string {
  return encodeBytes(new TextEncoder().encode(text))
}

function encodeBytes(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replace(/[+/=]/g, (character) => ({ '+': '-', '/': '_' })[character] ?? '')
}

/** What an issuer answers when asked for its keys; replaced by a test as its story goes on. */
export interface ScriptedIssuer {
  answer: () => Response | Promise<Response>
  /** URLs asked for so far. */
  readonly requests: { readonly url: string; readonly init: RequestInit | undefined }[]
  readonly fetch: (url: string, init?: RequestInit) => Promise<Response>
}

/** An issuer that publishes these keys until told otherwise. */
export function scriptIssuer(keys: readonly JWK[]): ScriptedIssuer {
  const issuer: ScriptedIssuer = {
    answer: () => publish(keys),
    requests: [],
    async fetch(url, init) {
      issuer.requests.push({ url, init })
      return issuer.answer()
    },
  }
  return issuer
}

/** A key set as an issuer answers it. */
export function publish(keys: readonly unknown[]): Response {
  return Response.json({ keys })
}
