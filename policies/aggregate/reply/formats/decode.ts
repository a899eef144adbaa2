import type { Shown } from '../../outcome.ts'
import { invalid, quoted } from '../invalid.ts'

/** Text in a charset that the runtime knows, without its byte order mark. Throws `PartFailure` for any wrong byte. */
export function decode(bytes: Uint8Array, charset: string): string {
  let decoder: TextDecoder
  try {
    decoder = new TextDecoder(charset, { fatal: true })
  } catch {
    throw invalid(`the charset is ${quoted(charset)}`)
  }
  try {
    return decoder.decode(bytes)
  } catch {
    throw invalid(`the body is not valid ${charset.toUpperCase()}`)
  }
}

/** A value that was made from a reply, with its JSON text. */
export function toShown(body: unknown): Shown {
  return { json: new TextEncoder().encode(JSON.stringify(body)), body }
}
