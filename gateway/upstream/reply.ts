import { GatewayError } from '../core/errors.ts'
import type { Call } from '../core/exchange.ts'
import { ReadReply, type Reply, toResponse } from '../core/read-reply.ts'
import { dropConnectionFields } from './fields.ts'

/** A body of it is dropped, not read past (RFC 9110 §15.3.6). */
const RESET_CONTENT = 205

/** Statuses that never have a body (RFC 9110 §6.4.1). */
const BODILESS: ReadonlySet<number> = new Set([204, RESET_CONTENT, 304])

/**
 * Checks what an upstream answered and makes it fit to pass on: hop-by-hop fields gone, everything else as it came.
 * Throws `upstream-invalid-response` for statuses no client could understand and for ambiguous framing.
 */
export function cleanReply(given: Reply, call: Call): Reply {
  const { status } = given
  call.record.status = status
  if (given instanceof ReadReply && status !== RESET_CONTENT) return given
  const reply = toResponse(given)
  const { headers } = reply
  const fault = faultOf(status, headers)
  if (fault !== undefined) {
    discard(reply)
    call.record.cause = fault
    throw new GatewayError('upstream-invalid-response')
  }
  if (!BODILESS.has(status) && call.method !== 'HEAD') return withoutConnectionFields(reply)
  discard(reply)
  const kept = new Headers(headers)
  dropConnectionFields(kept)
  if (status === 204) kept.delete('content-length')
  return new Response(null, { status, statusText: reply.statusText, headers: kept })
}

/** Runtimes let some of these through; RFC 9112 §6.3 calls both lengths at once an attack. */
function faultOf(status: number, headers: Headers): string | undefined {
  if (status < 200 || status > 599) return `status ${status}`
  const coding = headers.get('transfer-encoding')
  if (coding === null) return undefined
  if (headers.has('content-length')) return 'both Content-Length and Transfer-Encoding'
  return coding.toLowerCase() === 'chunked' ? undefined : 'unknown Transfer-Encoding'
}

/** A body that is dropped unread would keep its connection for ever. */
function discard(reply: Response): void {
  reply.body?.cancel().catch(() => {})
}

/** In place where the runtime allows it, which saves a copy; the fields of a fetched reply are immutable on some. */
function withoutConnectionFields(reply: Response): Response {
  try {
    dropConnectionFields(reply.headers)
    return reply
  } catch {
    const headers = new Headers(reply.headers)
    dropConnectionFields(headers)
    return new Response(reply.body, { status: reply.status, statusText: reply.statusText, headers })
  }
}
