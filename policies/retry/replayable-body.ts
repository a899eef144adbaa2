import { collect, declaredLength } from '../../gateway/core/body.ts'
import { GatewayError } from '../../gateway/core/errors.ts'
import type { Call } from '../../gateway/core/exchange.ts'

type Bytes = Uint8Array<ArrayBuffer>

/**
 * The body as something that can be sent again: nothing, or bytes. A stream is read into memory when its declared
 * length is at most `limitBytes`; undefined when it can only be sent once. Rejects when the call is aborted meanwhile.
 */
export async function replayableBody(call: Call, limitBytes: number): Promise<Bytes | null | undefined> {
  const { body, exchange, signal } = call
  if (!(body instanceof ReadableStream)) return body
  const length = declaredLength(exchange.request.headers)
  if (length === undefined || !(length <= limitBytes)) return undefined
  return orAborted(collect(body, limitBytes, tooLarge), signal)
}

function tooLarge(limitBytes: number): GatewayError {
  return new GatewayError('body-too-large', {
    detail: `The body is longer than it was declared to be, and than ${limitBytes} bytes`,
  })
}

/** A client that sends slowly must not outlast the deadline. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
