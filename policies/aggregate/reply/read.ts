import { parseJson } from '../../../gateway/core/body.ts'
import { PartFailure } from '../failure.ts'
import type { Success } from '../plan/success.ts'
import { readBody } from './body.ts'
import { invalid } from './invalid.ts'
import { checkMediaType } from './media-type.ts'

/** A part's reply, read whole. */
export interface Reply {
  readonly status: number
  readonly headers: Headers
  /** The JSON text as the upstream wrote it, without what surrounds it: every digit of a number is kept. */
  readonly json: Uint8Array<ArrayBuffer>
  readonly body: unknown
}

/** What is accepted of an upstream. */
export interface Accepted {
  readonly success: Success
  /** Statuses of a failure that the answer may have too. */
  readonly passStatus: ReadonlySet<number>
  readonly maxBytes: number
}

const NULL = new TextEncoder().encode('null')

/**
 * Reads a successful JSON reply of at most `accepted.maxBytes`, counted after decompression. Throws `PartFailure` for anything
 * else, and the signal's reason when that aborts; a body that is not wanted is cancelled.
 */
export async function readReply(response: Response, accepted: Accepted, signal: AbortSignal): Promise<Reply> {
  try {
    signal.throwIfAborted()
    const { status, headers } = response
    if (!accepted.success.includes(status)) throw refused(status, accepted)
    if (accepted.success.isEmpty(status)) {
      response.body?.cancel().catch(() => {})
      return { status, headers, json: NULL, body: null }
    }
    checkMediaType(headers.get('content-type'))
    const bytes = await readBody(response, { maxBytes: accepted.maxBytes, signal })
    const body = parseJson(bytes, (detail) => invalid(`the body ${detail}`))
    return { status, headers, json: trimmed(bytes), body }
  } catch (error) {
    // An unread body would keep its connection; one that is being read is cancelled by its reader.
    response.body?.cancel().catch(() => {})
    throw error
  }
}

function refused(status: number, { passStatus }: Accepted): PartFailure {
  return new PartFailure('status', { status, ...(passStatus.has(status) ? { code: 'upstream-refused' } : {}) })
}

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf]
const WHITESPACE: ReadonlySet<number | undefined> = new Set([0x20, 0x09, 0x0a, 0x0d])

/** Valid JSON text without byte order mark and surrounding whitespace, so that it can stand inside another one. */
function trimmed(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  let start = BYTE_ORDER_MARK.every((octet, i) => bytes[i] === octet) ? BYTE_ORDER_MARK.length : 0
  let end = bytes.byteLength
  while (WHITESPACE.has(bytes[start])) start++
  while (WHITESPACE.has(bytes[end - 1])) end--
  return bytes.subarray(start, end)
}
