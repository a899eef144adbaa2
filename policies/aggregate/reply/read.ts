import { PartFailure } from '../failure.ts'
import type { Success } from '../plan/success.ts'
import { readBody, tooLarge } from './body.ts'
import type { Format } from './formats/format.ts'
import { readMediaType } from './media-type.ts'

/** A part's reply, read whole. */
export interface Reply {
  readonly status: number
  readonly headers: Headers
  /** JSON text; of a JSON reply as the upstream wrote it, without what surrounds it: every digit of a number is kept. */
  readonly json: Uint8Array<ArrayBuffer>
  readonly body: unknown
}

/** What is accepted of an upstream. */
export interface Accepted {
  readonly success: Success
  /** Statuses of a failure that the answer may have too. */
  readonly passStatus: ReadonlySet<number>
  readonly maxBytes: number
  readonly format: Format
}

const NULL = new TextEncoder().encode('null')

/**
 * Reads a successful reply of at most `accepted.maxBytes`, counted after decompression and as JSON. Throws `PartFailure` for
 * anything else, and the signal's reason when that aborts; a body that is not wanted is cancelled.
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
    const type = readMediaType(headers.get('content-type'), accepted.format.accepts)
    const bytes = await readBody(response, { maxBytes: accepted.maxBytes, signal })
    const { json, body } = accepted.format.read(bytes, type)
    if (json.byteLength > accepted.maxBytes) throw tooLarge(accepted.maxBytes)
    return { status, headers, json, body }
  } catch (error) {
    // An unread body would keep its connection; one that is being read is cancelled by its reader.
    response.body?.cancel().catch(() => {})
    throw error
  }
}

function refused(status: number, { passStatus }: Accepted): PartFailure {
  return new PartFailure('status', { status, ...(passStatus.has(status) ? { code: 'upstream-refused' } : {}) })
}
