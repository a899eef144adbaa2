import type { ReadReply } from '../../../core/read-reply.ts'
import type { OutgoingRequest } from '../../../upstream/transport.ts'
import { Http1Call } from './call.ts'

/** A call, and the promise of its reply; a `GET /` unless told otherwise. */
export function createCall(request: Partial<OutgoingRequest> & { readonly target?: string } = {}): {
  readonly call: Http1Call
  readonly reply: Promise<Response>
} {
  const { promise, resolve, reject } = Promise.withResolvers<ReadReply>()
  const reply = promise.then((read) => read.toResponse())
  const { target = '/', ...given } = request
  const signal = new AbortController().signal
  const outgoing = {
    url: `http://up.test${target}`,
    origin: 'http://up.test',
    target,
    method: 'GET',
    headers: new Headers(),
    body: null,
    signal,
    ...given,
  }
  // Whoever does not look at a failure does not care for it.
  reply.catch(() => {})
  return { call: new Http1Call(outgoing, target, { resolve, reject }), reply }
}

/** What a promise is rejected with; undefined when it is not. */
export const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  )
