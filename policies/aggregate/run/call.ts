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
export function callPart(
  part: Part,
  request: PartRequest,
  { exchange, signal }: { readonly exchange: Exchange; readonly signal: AbortSignal },
): Promise<Called> {
  // By hand, because a race of promises costs more than all the rest of it.
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => {
      signal.removeEventListener('abort', stop)
      try {
        resolve({ failure: toPartFailure(error, signal) })
      } catch (mistake) {
        reject(mistake)
      }
    }
    const stop = () => fail(signal.reason)
    if (signal.aborted) return stop()
    signal.addEventListener('abort', stop)
    ask(part, request, exchange, signal).then((reply) => {
      signal.removeEventListener('abort', stop)
      resolve({ reply })
    }, fail)
  })
}

async function ask(
  { name, call }: Part,
  { method, path, fields, body }: PartRequest,
  exchange: Exchange,
  signal: AbortSignal,
): Promise<Reply> {
  const response = await call.upstream(exchange, {
    method,
    path,
    headers: fields,
    body: body === undefined ? null : new TextEncoder().encode(body),
    signal,
    part: name,
  })
  return readReply(response, call, signal)
}
