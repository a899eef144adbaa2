import type { Exchange } from '../../gateway/core/exchange.ts'
import type { Reference } from '../../gateway/core/reference.ts'

/**
 * Where the answer to a key is kept. Keys belong to whoever sent them: the first value of `scope` that is there says who
 * that is, and which value it is belongs to it, so that no client reaches another one's answers by guessing.
 */
export async function slotOf(key: string, scope: readonly Reference[], exchange: Exchange): Promise<string> {
  const owner = scope.find((reference) => isThere(reference.read(exchange.scope)))
  return digest(encode([owner?.source, owner?.read(exchange.scope), key]))
}

/** What makes two requests the same one: method, path, query and the bytes of the body. Throws `body-too-large`. */
export async function fingerprintOf({ request, path, search, body }: Exchange): Promise<string> {
  // JSON holds no bare NUL, so that the end of the head is certain.
  const head = encode([request.method, path, search])
  const bytes = await body.bytes()
  const all = new Uint8Array(head.length + 1 + bytes.length)
  all.set(head)
  all.set(bytes, head.length + 1)
  return digest(all)
}

function isThere(value: unknown): boolean {
  return value !== undefined && value !== null && value !== ''
}

function encode(values: readonly unknown[]): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(values))
}

async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = await crypto.subtle.digest('SHA-256', bytes)
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
