import { base64url } from 'jose'
import { copyBytes } from '../../../gateway/core/copy-bytes.ts'
import type { Sha256 } from '../../../gateway/core/services.ts'

/** Octets of the digest that are kept: two answers alike in them are alike. */
const KEPT_BYTES = 16

/** A strong entity tag (RFC 9110 §8.8.3): the same bytes have the same, on every gateway. At once where the digest is. */
export function entityTag(bytes: Uint8Array<ArrayBuffer>, sha256: Sha256): string | Promise<string> {
  const digest = sha256(bytes)
  return digest instanceof Promise ? digest.then(toTag) : toTag(digest)
}

function toTag(digest: Uint8Array): string {
  return `"${base64url.encode(copyBytes(digest, 0, KEPT_BYTES))}"`
}

/** True when `If-None-Match` names the tag, compared weakly (RFC 9110 §13.1.2), or any with `*`. */
export function isKnown(ifNoneMatch: string | null, tag: string): boolean {
  if (ifNoneMatch === null) return false
  if (ifNoneMatch.trim() === '*') return true
  return (ifNoneMatch.match(ENTITY_TAG) ?? []).some((known) => known === tag || known === `W/${tag}`)
}

const ENTITY_TAG = /(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g
