import type { CallBody } from '../../core/body.ts'
import { tellOutcome } from '../../core/receiver.ts'
import type { Transport } from '../../upstream/transport.ts'

/** What workerd's `fetch` knows beyond the standard. */
interface WorkerRequestInit extends RequestInit {
  /** Leaves `Content-Encoding` alone: the body is what the upstream sent. */
  readonly encodeResponseBody: 'manual'
}

/** Upstreams over workerd's `fetch`: bodies undecoded, redirects passed through. It passes no WebSockets on. */
export const fetchTransport: Transport = {
  send({ url, method, headers, body, signal }, receiver) {
    const init: WorkerRequestInit = {
      method,
      headers,
      body: withLength(body, headers),
      signal,
      redirect: 'manual',
      encodeResponseBody: 'manual',
    }
    tellOutcome(fetch(url, init), receiver)
  },
  /** workerd has one message for everything from a refused connection to a reply it could not read. */
  explain: (error) => ({ kind: 'unreachable', cause: error instanceof Error ? error.message : String(error) }),
}

/** A stream goes out chunked, whatever `Content-Length` says, unless workerd knows the length from the stream itself. */
function withLength(body: CallBody, headers: Headers): CallBody {
  const length = headers.get('content-length')
  if (length === null || !(body instanceof ReadableStream)) return body
  return body.pipeThrough(new FixedLengthStream(Number(length)))
}
