import type { Exchange } from '../../../gateway/core/exchange.ts'
import { type PartFailure, toPartFailure } from '../failure.ts'
import type { Part } from '../plan/part.ts'
import type { PartRequest } from '../plan/request.ts'
import { type Reply, readReply } from '../reply/read.ts'

/** A reply, or why there is none. */
export type Called = { readonly reply: Reply } | { readonly failure: PartFailure }

/**
 * Makes one call and reads its reply, as long as `signal` lasts, even when the upstream ignores it. Rejects for mistakes
 * of ours only.
 */
export async function callPart(
  part: Part,
  request: PartRequest,
  { exchange, signal }: { readonly exchange: Exchange; readonly signal: AbortSignal },
): Promise<Called> {
  const { promise: stopped, reject } = Promise.withResolvers<never>()
  const stop = () => reject(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  try {
    signal.throwIfAborted()
    return { reply: await Promise.race([ask(part, request, exchange, signal), stopped]) }
  } catch (error) {
    return { failure: toPartFailure(error, signal) }
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

async function ask(
  { name, call }: Part,
  request: PartRequest,
  exchange: Exchange,
  signal: AbortSignal,
): Promise<Reply> {
  const { method, path, body } = request
  const response = await call.upstream(exchange, {
    method,
    path,
    headers: new Headers(request.fields.map(([field, value]) => [field, value])),
    body: body === undefined ? null : new TextEncoder().encode(body),
    signal,
    part: name,
  })
  return readReply(response, call, signal)
}
