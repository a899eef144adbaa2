import { responseTo } from '../../../core/receiver.ts'
import { stopBy } from '../../../core/stop.ts'
import type { OutgoingRequest } from '../../../upstream/transport.ts'
import { Http1Call } from './call.ts'

/** A call, and the promise of its reply; a `GET /` unless told otherwise. */
export function createCall(request: Partial<OutgoingRequest> & { readonly target?: string } = {}): {
  readonly call: Http1Call
  readonly reply: Promise<Response>
} {
  const { target = '/', ...given } = request
  const { signal = new AbortController().signal } = request
  const outgoing: OutgoingRequest = {
    url: `http://up.test${target}`,
    origin: 'http://up.test',
    target,
    method: 'GET',
    headers: new Headers(),
    body: null,
    signal,
    stop: stopBy(signal),
    ...given,
  }
  const calls: Http1Call[] = []
  const reply = responseTo((receiver) => calls.push(new Http1Call(outgoing, target, receiver)))
  // Whoever does not look at a failure does not care for it.
  reply.catch(() => {})
  const [call] = calls
  if (!call) throw new TypeError('No call was made')
  return { call, reply }
}

/** What a promise is rejected with; undefined when it is not. */
export const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  )
