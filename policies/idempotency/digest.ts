import { addressBlock } from '../../gateway/core/address-block.ts'
import type { Exchange } from '../../gateway/core/exchange.ts'
import type { Reference } from '../../gateway/core/reference.ts'
import { sha256 } from '../../gateway/core/sha256.ts'

/** Where the answer to a key is kept, and on whose account. */
export interface Place {
  readonly slot: string
  /** The same for every key of a caller, whatever the route. */
  readonly account: string
}

/**
 * Keys belong to whoever sent them: the first value of `scope` that is there says who that is, and which value it is
 * belongs to it, so that no client reaches another one's answers by guessing. Room is counted by who can be expected to
 * be one client: whoever has an IPv6 network has an address for every request.
 */
export async function placeOf(key: string, scope: readonly Reference[], exchange: Exchange): Promise<Place> {
  const owner = scope.find((reference) => isThere(reference.read(exchange.scope)))
  const value = owner?.read(exchange.scope)
  const holder = owner?.source === 'client.ip' && typeof value === 'string' ? addressBlock(value) : value
  const [slot, account] = await Promise.all([
    sha256(encode([owner?.source, value, key])),
    sha256(encode([owner?.source, holder])),
  ])
  return { slot, account }
}

/** What makes two requests the same one: method, path, query and the bytes of the body. Throws `body-too-large`. */
export async function fingerprintOf({ request, path, search, body }: Exchange): Promise<string> {
  // JSON holds no bare NUL, so that the end of the head is certain.
  const head = encode([request.method, path, search])
  const bytes = await body.bytes()
  const all = new Uint8Array(head.length + 1 + bytes.length)
  all.set(head)
  all.set(bytes, head.length + 1)
  return sha256(all)
}

function isThere(value: unknown): boolean {
  return value !== undefined && value !== null && value !== ''
}

function encode(values: readonly unknown[]): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(values))
}
