/** Why a token is refused; the log's word for it. */
export type Reason = keyof typeof DESCRIPTIONS

/** What the caller may read: enough to mend its side, nothing of the token's content. */
export const DESCRIPTIONS = {
  malformed: 'The token is not a signed JWT this gateway reads',
  algorithm: 'The token is not signed with an accepted algorithm',
  signature: 'The token is not signed by a trusted key',
  expired: 'The token has expired',
  'not-yet-valid': 'The token is not valid yet',
  claims: 'The token was not issued for this use',
} as const

/** A token that does not establish a caller. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly reason: Reason

  constructor(reason: Reason, options?: ErrorOptions) {
    super(DESCRIPTIONS[reason], options)
    this.reason = reason
  }
}
