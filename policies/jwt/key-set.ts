import type { CryptoKey } from 'jose'
import type { Algorithm } from './algorithms.ts'

/** One key that may verify tokens, imported when it is first needed. */
export interface VerificationKey {
  readonly kid: string | undefined
  readonly algorithms: readonly Algorithm[]
  /** Imports the key for one of its algorithms. Throws when the key's numbers make no key. */
  readonly load: (algorithm: Algorithm) => Promise<CryptoKey | Uint8Array>
}

/** Keys that are trusted together. A set that changes is another object, which is what binds remembered tokens to it. */
export interface KeySet {
  readonly keys: readonly VerificationKey[]
}

/** Most keys one token is tried with, so that a token that names none stays cheap whatever the issuer publishes. */
export const MAX_CANDIDATES = 16

/**
 * The keys that could have signed a token: right for its algorithm, and of its `kid` where both name one. A key without
 * `kid` is a candidate for every token.
 */
export function candidates(
  { keys }: KeySet,
  algorithm: Algorithm,
  kid: string | undefined,
): readonly VerificationKey[] {
  return keys
    .filter((key) => key.algorithms.includes(algorithm))
    .filter((key) => kid === undefined || key.kid === undefined || key.kid === kid)
    .slice(0, MAX_CANDIDATES)
}

/** Keeps imported keys, as data and never as a promise: one request on Workers must not await another's work. */
export function loadOnce(load: VerificationKey['load']): VerificationKey['load'] {
  const loaded = new Map<Algorithm, CryptoKey | Uint8Array>()
  return async (algorithm) => {
    const known = loaded.get(algorithm)
    if (known) return known
    const key = await load(algorithm)
    loaded.set(algorithm, key)
    return key
  }
}
