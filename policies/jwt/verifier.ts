import { errors, type JWTPayload, jwtVerify } from 'jose'
import type { Clock } from '../../gateway/core/clock.ts'
import type { Logger } from '../../gateway/core/telemetry.ts'
import type { Algorithm } from './algorithms.ts'
import { candidates, type KeySet, type VerificationKey } from './key-set.ts'
import type { KeySource, KeyUser } from './key-source.ts'
import { Refusal } from './refusal.ts'
import { checkTimes, type TimeRules } from './times.ts'
import { readHeader, type TokenHeader } from './token.ts'
import { createVerifiedTokens } from './verified-tokens.ts'

export interface VerifierOptions {
  readonly algorithms: readonly Algorithm[]
  readonly issuers: readonly string[]
  /** Undefined when tokens for anyone are taken. */
  readonly audiences: readonly string[] | undefined
  readonly times: TimeRules
}

/** A token that has been checked in full, and whether that was remembered from an earlier request. */
export interface Verified {
  readonly claims: JWTPayload
  readonly remembered: boolean
}

export type Verifier = (token: string, user: KeyUser) => Promise<Verified>

/**
 * Makes the check of tokens: header, key, signature, issuer, audience, times. The returned function throws `Refusal`
 * for a token that is not good, and `GatewayError` `overloaded` when no keys can be had to tell.
 */
export function createVerifier(
  options: VerifierOptions,
  source: KeySource,
  { clock, log }: { clock: Clock; log: Logger },
): Verifier {
  const verified = createVerifiedTokens()
  const reported = new WeakSet<VerificationKey>()

  return async function verify(token, user) {
    const trusted = source.ready(user)
    const known = trusted && verified.recall(token, trusted)
    if (known) {
      checkTimes(known, clock.now(), options.times)
      return { claims: known, remembered: true }
    }
    const header = readHeader(token, options.algorithms)
    const { set, keys } = await keysFor(header, source, user)
    const claims = await verifyWith(token, header, keys)
    checkTimes(claims, clock.now(), options.times)
    verified.remember(token, set, claims)
    return { claims, remembered: false }
  }

  async function verifyWith(token: string, { algorithm }: TokenHeader, keys: readonly VerificationKey[]) {
    for (const key of keys) {
      try {
        const loaded = await key.load(algorithm)
        const { payload } = await jwtVerify(token, loaded, {
          algorithms: [algorithm],
          issuer: [...options.issuers],
          ...(options.audiences ? { audience: [...options.audiences] } : {}),
          requiredClaims: ['exp'],
          clockTolerance: options.times.toleranceMs / 1_000,
          currentDate: new Date(clock.now()),
        })
        return Object.freeze(payload)
      } catch (error) {
        if (error instanceof errors.JWSSignatureVerificationFailed) continue
        if (error instanceof errors.JOSEError) throw new Refusal(reasonOf(error), { cause: error })
        // Numbers that make no key (a point off its curve, a short modulus): the other keys may still do.
        if (!reported.has(key)) log.error('jwt key cannot be used', { kid: key.kid, algorithm, cause: String(error) })
        reported.add(key)
      }
    }
    throw new Refusal('signature')
  }
}

async function keysFor(
  { algorithm, kid }: TokenHeader,
  source: KeySource,
  user: KeyUser,
): Promise<{ set: KeySet; keys: readonly VerificationKey[] }> {
  const set = await source.keys(user)
  const keys = candidates(set, algorithm, kid)
  if (keys.length > 0) return { set, keys }
  const newer = await source.reconsidered(user)
  return { set: newer, keys: candidates(newer, algorithm, kid) }
}

function reasonOf(error: errors.JOSEError): Refusal['reason'] {
  if (error instanceof errors.JWTExpired) return 'expired'
  if (error instanceof errors.JWTClaimValidationFailed) {
    return error.claim === 'nbf' && error.reason === 'check_failed' ? 'not-yet-valid' : 'claims'
  }
  return error instanceof errors.JWTInvalid ? 'claims' : 'malformed'
}
