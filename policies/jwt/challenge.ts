import { GatewayError } from '../../gateway/core/errors.ts'
import { DESCRIPTIONS, type Refusal } from './refusal.ts'

/** The answers to a caller that is not let in, each with its challenge (RFC 6750 §3). */
export interface Challenges {
  /** No credentials: the challenge names no error, so that the client is told how to begin (RFC 6750 §3.1). */
  missing(): GatewayError
  invalid(refusal: Refusal): GatewayError
  forbidden(detail: string): GatewayError
}

/** Makes the answers of one mount. `realm` and `scopes` hold no quotes; the options saw to that. */
export function createChallenges(realm: string, scopes: readonly string[]): Challenges {
  const bearer = `Bearer realm="${realm}"`
  const scope = scopes.length > 0 ? `, scope="${scopes.join(' ')}"` : ''
  return {
    missing: () =>
      new GatewayError('missing-credentials', {
        detail: 'Send a token as "Authorization: Bearer <token>"',
        headers: { 'www-authenticate': `${bearer}${scope}` },
      }),
    invalid: (refusal) =>
      new GatewayError('invalid-credentials', {
        detail: DESCRIPTIONS[refusal.reason],
        headers: {
          'www-authenticate': `${bearer}, error="invalid_token", error_description="${DESCRIPTIONS[refusal.reason]}"`,
        },
        cause: refusal,
      }),
    forbidden: (detail) =>
      new GatewayError('forbidden', {
        detail,
        headers: { 'www-authenticate': `${bearer}, error="insufficient_scope"${scope}` },
      }),
  }
}
