import type { JWTPayload } from 'jose'
import type { Exchange } from '../../gateway/core/exchange.ts'
import { principal } from '../../gateway/core/keys.ts'
import { definePolicy } from '../../gateway/core/policy.ts'
import type { Keep } from '../../gateway/core/services.ts'
import { readClaim, scopesOf, unmetClaims } from './access.ts'
import { createChallenges } from './challenge.ts'
import { claimAsHeader } from './claim-headers.ts'
import { presentedToken, withholdToken } from './credentials.ts'
import { fixedKeys, type PublishedKeysServices, publishedKeys } from './key-source.ts'
import { checkOptions, type JwtOptions, options } from './options.ts'
import { Refusal } from './refusal.ts'
import { toKeySet } from './static-keys.ts'
import { createVerifier } from './verifier.ts'

/** Establishes the caller from a signed token: 401 without a good one, 403 when it does not grant enough. */
export default definePolicy({
  name: 'jwt',
  at: 'route',
  options,
  provides: [principal],
  check: checkOptions,
  reserves: (given) => Object.values(given['claims-to-headers']),

  create(given, { clock, fetch, keep, log }) {
    const source = keySource(given, { clock, fetch, log }, keep)
    const verify = createVerifier(verifierOptions(given), source, { clock, log })
    const challenges = createChallenges(given.realm, given.scopes)

    return async function jwt(exchange, next) {
      const identity = await identify(exchange)
      if (!identity) {
        exchange.record.policies.jwt = { outcome: 'anonymous' }
        return next()
      }
      const { id, claims, remembered } = identity
      refuseUnlessAllowed(exchange, claims)
      exchange.set(principal, { id, claims, via: 'jwt' })
      exchange.record.policies.jwt = { outcome: 'accepted', remembered, ...sendClaims(exchange, claims) }
      return next()
    }

    async function identify(exchange: Exchange) {
      try {
        const presented = presentedToken(exchange, given.cookie)
        if (!given.forward) withholdToken(exchange, given.cookie)
        if (!presented && given.optional) return undefined
        if (!presented) {
          exchange.record.policies.jwt = { outcome: 'refused', reason: 'missing' }
          throw challenges.missing()
        }
        const { claims, remembered } = await verify(presented.token, exchange)
        return { id: callerOf(claims), claims, remembered }
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        exchange.record.policies.jwt = { outcome: 'refused', reason: error.reason }
        throw challenges.invalid(error)
      }
    }

    function callerOf(claims: JWTPayload): string {
      const id = readClaim(claims, given['subject-claim'])
      if (typeof id !== 'string' || id === '') throw new Refusal('claims')
      return id
    }

    function refuseUnlessAllowed({ record }: Exchange, claims: JWTPayload): void {
      const granted = scopesOf(claims)
      const scopes = given.scopes.filter((scope) => !granted.has(scope))
      const unmet = unmetClaims(claims, given['required-claims'])
      if (scopes.length === 0 && unmet.length === 0) return
      record.policies.jwt = { outcome: 'forbidden', missing: [...scopes, ...unmet] }
      throw challenges.forbidden(
        scopes.length > 0 ? 'The token lacks a scope this route needs' : 'The token lacks a claim this route needs',
      )
    }

    /** A claim that cannot stand in a header is left out, and the log names the header. */
    function sendClaims({ outgoing }: Exchange, claims: JWTPayload): { readonly unsent?: string[] } {
      const unsent: string[] = []
      for (const [claim, header] of Object.entries(given['claims-to-headers'])) {
        const value = claimAsHeader(claims, claim)
        if (value === undefined) unsent.push(header)
        else outgoing.set(header, value)
      }
      return unsent.length > 0 ? { unsent } : {}
    }
  },
})

/** A reload while the issuer is down must not lose the keys; routes with the same issuer share them. */
function keySource(given: JwtOptions, services: PublishedKeysServices, keep: Keep) {
  const { jwks, keys = [], algorithms } = given
  if (jwks === undefined) return fixedKeys(toKeySet(keys, algorithms))
  const published = {
    url: jwks,
    algorithms,
    cacheForMs: given['cache-for'],
    staleForMs: given['stale-for'],
    cooldownMs: given.cooldown,
  }
  return keep(`jwt keys ${JSON.stringify(published)}`, () => publishedKeys(published, services))
}

function verifierOptions(given: JwtOptions) {
  return {
    algorithms: given.algorithms,
    issuers: given.issuer,
    audiences: given.audience === false ? undefined : given.audience,
    times: { toleranceMs: given['clock-tolerance'] ?? 0, maxAgeMs: given['max-token-age'] },
  }
}
