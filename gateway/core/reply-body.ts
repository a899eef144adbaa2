import { collect, parseJson } from './body.ts'

/** The body of a reply cannot be read; the message says why, in an operator's words. */
export class UnreadableReply extends Error {
  override readonly name = 'UnreadableReply'
}

/** Codings that some upstreams use although they were asked for none. */
const DECODED: Readonly<Record<string, CompressionFormat>> = { gzip: 'gzip', 'x-gzip': 'gzip', deflate: 'deflate' }

/**
 * Reads the bytes of a reply as JSON; `undefined` when there are none. What a reply inflates to is held to `maxBytes`
 * like what it brings. Throws `UnreadableReply`.
 */
export async function parseReply(bytes: Uint8Array<ArrayBuffer>, headers: Headers, maxBytes: number): Promise<unknown> {
  if (bytes.byteLength === 0) return undefined
  const plain = await inflate(bytes, headers.get('content-encoding'), maxBytes)
  return parseJson(plain, (detail) => new UnreadableReply(`the response body ${detail}`))
}

/** The failure of a body that is larger than `maxBytes`. */
export function replyTooLarge(maxBytes: number): UnreadableReply {
  return new UnreadableReply(`the response body has more than ${maxBytes} bytes`)
}

async function inflate(
  bytes: Uint8Array<ArrayBuffer>,
  field: string | null,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const coding = field?.trim().toLowerCase() ?? ''
  if (coding === '' || coding === 'identity') return bytes
  const format = DECODED[coding]
  if (format === undefined) {
    throw new UnreadableReply(`the response body is encoded as "${coding}", although the gateway asked for no encoding`)
  }
  const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream(format))
  try {
    return await collect(inflated, maxBytes, replyTooLarge)
  } catch (error) {
    if (error instanceof UnreadableReply) throw error
    throw new UnreadableReply(`the response body is not the ${coding} it says it is`)
  }
}
