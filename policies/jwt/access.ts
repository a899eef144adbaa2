import type { JWTPayload } from 'jose'

export type Scalar = string | number | boolean

/** Claim name → the values one of which it must have. */
export type RequiredClaims = Readonly<Record<string, readonly Scalar[]>>

/**
 * A claim by its name, or by a dotted path into it (`realm_access.roles`) when no claim has the whole name. Own members
 * only.
 */
export function readClaim(claims: JWTPayload, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name]
  let value: unknown = claims
  for (const step of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    value = (value as Readonly<Record<string, unknown>>)[step]
  }
  return value
}

/** Scopes a token grants: `scope` (RFC 8693 §4.2, a spaced string) and `scp`, as a string or a list. */
export function scopesOf({ scope, scp }: JWTPayload): ReadonlySet<string> {
  return new Set([...toScopes(scope), ...toScopes(scp)])
}

function toScopes(value: unknown): readonly string[] {
  if (typeof value === 'string') return value.split(' ')
  return Array.isArray(value) ? value.filter((scope) => typeof scope === 'string') : []
}

/** Names of the required claims that are missing or have none of the wanted values; a list claim needs one of them. */
export function unmetClaims(claims: JWTPayload, required: RequiredClaims): string[] {
  return Object.entries(required)
    .filter(([name, wanted]) => !meets(readClaim(claims, name), wanted))
    .map(([name]) => name)
}

/** No wanted values means that any will do, as long as there is one. */
function meets(value: unknown, wanted: readonly Scalar[]): boolean {
  if (value === undefined || value === null) return false
  if (wanted.length === 0) return true
  const held: readonly unknown[] = Array.isArray(value) ? value : [value]
  return wanted.some((one) => held.includes(one))
}
