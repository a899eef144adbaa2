import { importJWK, type JWK } from 'jose'
import { parseJson } from '../../gateway/core/body.ts'
import { type Algorithm, servedBy } from './algorithms.ts'
import { loadOnce, type VerificationKey } from './key-set.ts'

/** Most keys a published key set may hold. */
export const MAX_KEYS = 100

/** The usable part of a published key set, and a text that differs when and only when that part differs. */
export interface KeyDocument {
  readonly keys: readonly VerificationKey[]
  readonly fingerprint: string
}

/** Public members; whatever else a key carries (`x5u`, `x5c`, a private `d`) is never looked at. */
const MEMBERS = ['kty', 'crv', 'x', 'y', 'n', 'e', 'alg'] as const

/**
 * Reads a JWK Set (RFC 7517 §5). Keys this mount cannot use are left out, as the RFC asks: other types and algorithms,
 * keys for encryption, and shared secrets, which have no place in a public document. Throws on anything that is no set.
 */
export function readKeyDocument(bytes: Uint8Array, algorithms: readonly Algorithm[]): KeyDocument {
  const document = parseJson(bytes, (detail) => new Error(`The key set ${detail}`))
  const listed = isRecord(document) ? document.keys : undefined
  if (!Array.isArray(listed)) throw new Error('The key set has no array "keys"')
  if (listed.length > MAX_KEYS) throw new Error(`The key set holds ${listed.length} keys, more than ${MAX_KEYS}`)

  const usable = listed.flatMap((entry: unknown) => {
    const jwk = publicPart(entry)
    const served = jwk ? servedBy(jwk, algorithms) : []
    return jwk && served.length > 0 && jwk.kty !== 'oct' ? [{ jwk, served }] : []
  })
  return {
    keys: usable.map(({ jwk, served }) => ({
      kid: jwk.kid,
      algorithms: served,
      load: loadOnce((algorithm) => importJWK(jwk, algorithm)),
    })),
    fingerprint: JSON.stringify(usable.map(({ jwk }) => jwk)),
  }
}

function publicPart(entry: unknown): (JWK & { readonly kty: string }) | undefined {
  if (!isRecord(entry) || !isForVerifying(entry)) return undefined
  const { kid } = entry
  if (kid !== undefined && typeof kid !== 'string') return undefined
  const members = MEMBERS.filter((name) => entry[name] !== undefined).map((name) => [name, entry[name]] as const)
  if (!members.every(([, value]) => typeof value === 'string')) return undefined
  const jwk: Record<string, unknown> = Object.fromEntries(members)
  if (typeof jwk.kty !== 'string') return undefined
  return { ...jwk, kty: jwk.kty, ...(kid === undefined ? {} : { kid }) }
}

function isForVerifying({ use, key_ops: operations }: Readonly<Record<string, unknown>>): boolean {
  if (use !== undefined && use !== 'sig') return false
  return operations === undefined || (Array.isArray(operations) && operations.includes('verify'))
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
