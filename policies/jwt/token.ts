import { decodeProtectedHeader } from 'jose'
import type { Algorithm } from './algorithms.ts'
import { Refusal } from './refusal.ts'

/** Longest token that is looked at. */
export const MAX_TOKEN_CHARACTERS = 8_192

/** What of a token's header counts. Embedded or referenced keys (`jwk`, `jku`, `x5c`, `x5u`) do not, by not being here. */
export interface TokenHeader {
  readonly algorithm: Algorithm
  readonly kid: string | undefined
}

/**
 * Base64url in its one canonical form: no padding, and zeros in the bits that no byte uses (RFC 4648 §3.5), so that
 * there is one text for one token.
 */
const BASE64URL = '(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-][AQgw]|[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048])?'
const COMPACT = new RegExp(`^(?!\\.)${BASE64URL}\\.${BASE64URL}\\.(?!$)${BASE64URL}$`)
const TYPE = /^(?:application\/)?(?:at\+)?jwt$/i

/**
 * Reads the header of a JWS in compact form, before any key is asked for. Throws `Refusal` for what is no such token,
 * for an algorithm outside `algorithms`, and for extensions (`crit`, `b64`) this gateway does not speak.
 */
export function readHeader(token: string, algorithms: readonly Algorithm[]): TokenHeader {
  if (token.length > MAX_TOKEN_CHARACTERS || !COMPACT.test(token)) throw new Refusal('malformed')
  const { alg, kid, typ, crit, b64 } = parseHeader(token)
  const algorithm = algorithms.find((name) => name === alg)
  if (algorithm === undefined) throw new Refusal('algorithm')
  if (crit !== undefined || b64 !== undefined) throw new Refusal('malformed')
  if (typ !== undefined && !(typeof typ === 'string' && TYPE.test(typ))) throw new Refusal('malformed')
  if (kid !== undefined && typeof kid !== 'string') throw new Refusal('malformed')
  return { algorithm, kid }
}

function parseHeader(token: string): Readonly<Record<string, unknown>> {
  try {
    return decodeProtectedHeader(token)
  } catch (cause) {
    throw new Refusal('malformed', { cause })
  }
}
