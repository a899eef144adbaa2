import { tellOutcome } from '../../core/receiver.ts'
import type { Transport } from '../../upstream/transport.ts'
import { HandshakeRefused, openUpstreamSocket } from './upstream-socket.ts'

/** Replies Bun could not read, by error code; everything else means that there was no connection to speak of. */
const INVALID_REPLY: ReadonlySet<string> = new Set([
  'Malformed_HTTP_Response',
  'InvalidHTTPResponse',
  'InvalidContentLength',
  'UnsupportedTransferEncoding',
  'UnrequestedUpgrade',
  'ResponseHeadersTooLarge',
])

/** There was nobody to send anything to, or nobody who could prove to be the upstream: certificates are checked first. */
const UNSENT: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'CERT_CHAIN_TOO_LONG',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'HOSTNAME_MISMATCH',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/** All others Bun may send again on a kept connection that dies, and be refused the second time when it was not the first. */
const SENT_ONCE: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])

/** Upstreams over Bun's `fetch`: bodies undecoded, redirects passed through, no timeout but the caller's signal. */
export const fetchTransport: Transport = {
  send({ url, method, headers, body, signal }, receiver) {
    // On a kept connection that dies, Bun's fetch silently sends these again; the gateway must know of every attempt.
    const keepalive = method !== 'PUT' && method !== 'DELETE'
    const reply = fetch(url, {
      method,
      headers,
      body,
      signal,
      keepalive,
      redirect: 'manual',
      decompress: false,
      timeout: false,
    })
    tellOutcome(url.includes('?') ? reply.then(unnamed) : reply, receiver)
  },
  openWebSocket: openUpstreamSocket,
  explain(error, method) {
    if (error instanceof HandshakeRefused) return { kind: 'websocket-refused', cause: error.message }
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    const kind = INVALID_REPLY.has(code) ? 'invalid-response' : 'unreachable'
    return { kind, cause: code, isUnsent: UNSENT.has(code) && SENT_ONCE.has(method) }
  },
}

/**
 * When a reply breaks off while it is passed on, Bun prints the error to standard error, and with it the URL. A query may
 * hold keys and tokens, so such a reply fails with an error that does not name it.
 */
function unnamed(reply: Response): Response {
  // Other statuses are refused further up, and `Response` takes none of them.
  if (!reply.body || reply.status < 200 || reply.status > 599) return reply
  const reader = reply.body.getReader()
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read().catch(() => {
          throw new Error('The upstream broke off its reply')
        })
        if (done) controller.close()
        else controller.enqueue(value)
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
  const { status, statusText, headers } = reply
  return new Response(body, { status, statusText, headers })
}
