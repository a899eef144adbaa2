import { z } from 'zod'
import { duration, headerName, refuseHost } from '../../gateway/config/fields.ts'
import type { OptionMistake } from '../../gateway/core/policy.ts'
import type { RequiredClaims } from './access.ts'
import { ALGORITHMS, isSymmetric } from './algorithms.ts'
import { keyMistakes, staticKey } from './static-keys.ts'

const name = z.string().min(1).max(1_024)
const names = z.array(name).min(1).max(64)

const oneOrMore = z
  .union([name, names], { error: 'expected a text or a list of texts' })
  .transform((value) => (typeof value === 'string' ? [value] : value))

const ANY_AUDIENCE = 'expected a text, a list of texts, or false for anyone'
const anyAudience = z
  .boolean()
  .refine((value) => !value, { error: ANY_AUDIENCE })
  .transform((): false => false)

const scalar = z.union([z.string().max(1_024), z.number(), z.boolean()], {
  error: 'expected a value or a list of values',
})
const claimName = z.string().min(1).max(256)

const requiredClaims = z
  .union([
    z.array(claimName).max(64),
    z.record(
      claimName,
      z.union([scalar, z.array(scalar).min(1).max(64)], { error: 'expected a value or a list of values' }),
    ),
  ])
  .transform((value): RequiredClaims => {
    if (Array.isArray(value)) return Object.fromEntries(value.map((name) => [name, []]))
    return Object.fromEntries(
      Object.entries(value).map(([name, wanted]) => [name, Array.isArray(wanted) ? wanted : [wanted]]),
    )
  })

/** `scope-token` of RFC 6749 §3.3. */
const scopeToken = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/, {
  error: 'expected one scope without spaces, quotes or backslashes, such as "orders:write"',
})

const realm = z.string().regex(/^[\x20\x21\x23-\x5b\x5d-\x7e]{1,128}$/, {
  error: 'expected plain text without quotes or backslashes',
})

const cookieName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, { error: 'expected a cookie name' })

/** Options of the `jwt` policy. */
export const options = z.strictObject({
  jwks: z
    .url({ protocol: /^https?$/, error: 'expected an http(s) URL, such as "https://id.example/.well-known/jwks.json"' })
    .max(2_048)
    .optional()
    .describe('URL of the JWK Set the issuer publishes; this or "keys"'),
  'allow-http': z
    .boolean()
    .default(false)
    .describe('Fetch "jwks" over plain http from another machine too; whoever sits between can then forge tokens'),
  keys: z
    .array(staticKey)
    .min(1)
    .max(100)
    .optional()
    .describe('Keys written here instead of "jwks": public JWKs, PEMs, or shared secrets'),
  issuer: oneOrMore.describe('Accepted "iss", exactly as the issuer writes it; one or a list'),
  audience: z
    .union([name, names, anyAudience], { error: ANY_AUDIENCE })
    .transform((value) => (typeof value === 'string' ? [value] : value))
    .describe('Accepted "aud", one or a list; false takes tokens that were issued for anyone'),
  algorithms: z
    .array(z.enum(ALGORITHMS))
    .min(1)
    .describe('Accepted signature algorithms; there is no default, and "none" cannot be named'),
  'clock-tolerance': duration
    .optional()
    .describe('How far the issuer’s clock may be off, e.g. "5s", for exp, nbf and iat; without it, not at all'),
  'max-token-age': duration.optional().describe('Longest time since "iat", which must then be there'),
  'subject-claim': claimName.default('sub').describe('Claim that names the caller; a token without it is refused'),
  'required-claims': requiredClaims
    .prefault([])
    .describe('Claims that must be there (a list), or must have one of some values (a map); 403 otherwise'),
  scopes: z.array(scopeToken).max(64).default([]).describe('Scopes that must all be granted; 403 otherwise'),
  cookie: cookieName.optional().describe('Cookie that holds the token when there is no Authorization header'),
  optional: z.boolean().default(false).describe('Let requests without a token pass, with no caller established'),
  forward: z.boolean().default(false).describe('Send the token on to the upstream; otherwise it ends here'),
  'claims-to-headers': z
    .record(claimName, headerName)
    .default({})
    .describe('Claims sent to the upstream as header fields, e.g. { sub: x-user-id }; clients cannot set these'),
  realm: realm.default('sluice').describe('Realm named in WWW-Authenticate'),
  'cache-for': duration.prefault('10m').describe('Age up to which fetched keys are used without asking again'),
  'stale-for': duration.prefault('24h').describe('Age up to which they are used while the issuer cannot be reached'),
  cooldown: duration.prefault('30s').describe('Least time between two fetches caused by unknown keys or failures'),
})

export type JwtOptions = z.output<typeof options>

/** Header fields the gateway or the protocol owns, which a claim must not replace. */
const TAKEN: ReadonlySet<string> = new Set(
  'authorization connection content-length content-type cookie expect forwarded host te trailer transfer-encoding upgrade via'.split(
    ' ',
  ),
)

/** Mistakes in how the options fit together. */
export function checkOptions(given: JwtOptions): OptionMistake[] {
  return [...sourceMistakes(given), ...algorithmMistakes(given), ...headerMistakes(given), ...ageMistakes(given)]
}

function sourceMistakes({ jwks, keys, algorithms, 'allow-http': allowHttp }: JwtOptions): OptionMistake[] {
  if ((jwks === undefined) === (keys === undefined)) {
    return [{ path: [], message: 'expected one of "jwks" and "keys": where the keys come from' }]
  }
  if (keys) return keys.flatMap((key, index) => keyMistakes(key, index, algorithms))
  const { protocol, hostname, username, password } = new URL(jwks ?? '')
  const mistakes: OptionMistake[] = []
  if (username !== '' || password !== '') {
    mistakes.push({ path: ['jwks'], message: 'a key set is public, its URL has no user name or password' })
  }
  const refusal = jwks === undefined ? undefined : refuseHost(hostname)
  if (refusal !== undefined) {
    mistakes.push({ path: ['jwks'], message: refusal })
  }
  if (protocol === 'http:' && !allowHttp && !isLoopback(hostname)) {
    const message = 'keys fetched over plain http can be replaced on the way: use https, or set "allow-http: true"'
    mistakes.push({ path: ['jwks'], message })
  }
  return mistakes
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname)
}

function algorithmMistakes({ jwks, algorithms }: JwtOptions): OptionMistake[] {
  const symmetric = algorithms.filter(isSymmetric)
  if (symmetric.length === 0) return []
  if (symmetric.length < algorithms.length) {
    const message =
      'shared-secret algorithms (HS…) and public-key algorithms in one mount invite key confusion: give each its own route'
    return [{ path: ['algorithms'], message }]
  }
  if (jwks === undefined) return []
  return [
    { path: ['algorithms'], message: `${symmetric.join(', ')} need a shared secret, and "jwks" is public: use "keys"` },
  ]
}

function headerMistakes({ 'claims-to-headers': headers }: JwtOptions): OptionMistake[] {
  const names = Object.values(headers)
  return Object.entries(headers).flatMap(([claim, name], index) => {
    const path = ['claims-to-headers', claim]
    if (TAKEN.has(name)) return [{ path, message: `"${name}" is not a claim's to set` }]
    return names.indexOf(name) < index ? [{ path, message: `"${name}" is already set from another claim` }] : []
  })
}

function ageMistakes(given: JwtOptions): OptionMistake[] {
  if (given['stale-for'] >= given['cache-for']) return []
  return [{ path: ['stale-for'], message: 'must not be shorter than "cache-for"' }]
}
