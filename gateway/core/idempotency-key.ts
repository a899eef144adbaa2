/** What a key must be, for whoever has sent another. */
export const IDEMPOTENCY_KEY_RULE = 'must be one string of 1 to 255 printable ASCII characters, in quotes or without'

/** Longest key, in characters. */
const MAX_LENGTH = 255

/** Printable ASCII in quotes, in which a backslash stands before `"` and `\` (a String of RFC 9651 §3.3.3). */
const QUOTED = /^"((?:[ !#-[\]-~]|\\["\\])*)"$/

/** What many clients send instead: no quotes, and nothing that could end a token or begin another value. */
const BARE = /^[!#-+\--:<-[\]-~]+$/

/**
 * Reads an `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a quoted string or a bare token of 1 to 255
 * printable characters. Both spellings of one key are the same key; undefined when it is neither.
 */
export function parseIdempotencyKey(field: string): string | undefined {
  const key = BARE.test(field) ? field : QUOTED.exec(field)?.[1]?.replace(/\\(["\\])/g, '$1')
  return key !== undefined && key.length >= 1 && key.length <= MAX_LENGTH ? key : undefined
}
