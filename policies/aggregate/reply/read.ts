import { discard, type Fields, fieldsOf, type Reply as Received } from '../../../gateway/core/read-reply.ts'
import type { StopSource } from '../../../gateway/core/stop.ts'
import { PartFailure } from '../failure.ts'
import { isBodiless, type Success } from '../plan/success.ts'
import { readBody, tooLarge } from './body.ts'
import type { Format } from './formats/format.ts'
import { invalid } from './invalid.ts'
import { type MediaType, readMediaType } from './media-type.ts'

/** A part's reply, read whole. */
export interface Reply {
  readonly status: number
  readonly headers: Fields
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
 * Reads a successful reply of at most `accepted.maxBytes`, counted after decompression and as JSON; at once when it is
 * there already. Throws or rejects with `PartFailure` for anything else, and with the reason of `stop` when that is given
 * up; a body that is not wanted is cancelled.
 */
export function readReply(response: Received, accepted: Accepted, stop: StopSource): Reply | Promise<Reply> {
  try {
    if (stop.reason !== undefined) throw stop.reason
    const { status } = response
    const headers = fieldsOf(response)
    if (!accepted.success.includes(status)) throw refused(status, accepted)
    if (accepted.success.isEmpty(status)) {
      discard(response)
      return { status, headers, json: NULL, body: null }
    }
    if (isBodiless(status)) throw invalid(`a ${status} has no body: name it in "success" if it is to stand for null`)
    const type = readMediaType(headers.get('content-type'), accepted.format.accepts)
    const bytes = readBody(response, accepted.maxBytes, stop)
    if (bytes instanceof Promise) return readLater(bytes, { response, headers, type, accepted })
    const { json, body } = readAs(bytes, type, accepted)
    return { status, headers, json, body }
  } catch (error) {
    discard(response)
    throw error
  }
}

type Body = Uint8Array<ArrayBuffer>

/** A reply whose head is accepted. */
interface Unread {
  readonly response: Received
  readonly headers: Fields
  readonly type: MediaType
  readonly accepted: Accepted
}

async function readLater(reading: Promise<Body>, unread: Unread): Promise<Reply> {
  try {
    const { response, headers, type, accepted } = unread
    const { json, body } = readAs(await reading, type, accepted)
    return { status: response.status, headers, json, body }
  } catch (error) {
    discard(unread.response)
    throw error
  }
}

function readAs(bytes: Body, type: MediaType, { format, maxBytes }: Accepted): Pick<Reply, 'json' | 'body'> {
  const read = format.read(bytes, type)
  if (read.json.byteLength > maxBytes) throw tooLarge(maxBytes)
  return read
}

function refused(status: number, { passStatus }: Accepted): PartFailure {
  return new PartFailure('status', { status, ...(passStatus.has(status) ? { code: 'upstream-refused' } : {}) })
}
