/** One key of a client: the SHA-256 of what the client sends, never the key itself. */
export interface ClientKey {
  readonly client: string
  readonly digest: Uint8Array
  /** Milliseconds since the epoch at which it stops working; Infinity when it does not expire. */
  readonly expiresAt: number
}

/** The digest a hash of the configuration, `sha256:<hex>`, stands for. */
export function toDigest(hash: string): Uint8Array {
  return Uint8Array.from(hash.slice('sha256:'.length).matchAll(/../g), ([pair]) => Number.parseInt(pair, 16))
}

/** SHA-256 of a presented key. */
export async function digestOf(key: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(key)))
}

/**
 * The key a digest belongs to. Every stored digest is compared in full, whichever matches and wherever it stands, so
 * that the time taken tells nothing about them.
 */
export function findKey(keys: readonly ClientKey[], digest: Uint8Array): ClientKey | undefined {
  let found: ClientKey | undefined
  for (const key of keys) {
    if (isSame(key.digest, digest)) found = key
  }
  return found
}

function isSame(stored: Uint8Array, presented: Uint8Array): boolean {
  let difference = stored.length ^ presented.length
  for (const [i, byte] of stored.entries()) difference |= byte ^ (presented[i] ?? 0)
  return difference === 0
}
