import type { JWTPayload } from 'jose'
import { LRUCache } from 'lru-cache'
import type { KeySet } from './key-set.ts'

const MAX_TOKENS = 10_000
const MAX_CHARACTERS = 8 * 1_024 * 1_024

interface Entry {
  readonly claims: JWTPayload
  readonly set: KeySet
}

/** Tokens whose signature, issuer and audience were found good, so that they need not be verified at each request. */
export interface VerifiedTokens {
  /** The claims, if the token was verified with this very set of keys. Its times must be checked again. */
  recall(token: string, set: KeySet): JWTPayload | undefined
  remember(token: string, set: KeySet, claims: JWTPayload): void
}

/**
 * Bounded in number and in size; the least recently used go first, so an expired token costs a place and no more. The
 * key is the token itself: a digest of it would be another hop into WebCrypto, which is what remembering saves.
 */
export function createVerifiedTokens(): VerifiedTokens {
  const entries = new LRUCache<string, Entry>({
    max: MAX_TOKENS,
    maxSize: MAX_CHARACTERS,
    // The claims hold about as much as the payload they were read from.
    sizeCalculation: (_, token) => token.length * 2,
  })
  return {
    recall(token, set) {
      const entry = entries.get(token)
      return entry?.set === set ? entry.claims : undefined
    },
    remember(token, set, claims) {
      entries.set(token, { claims, set })
    },
  }
}
