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

/** Upstreams over Bun's `fetch`: bodies undecoded, redirects passed through, no timeout but the caller's signal. */
export const fetchTransport: Transport = {
  send({ url, method, headers, body, signal }) {
    // On a kept connection that dies, Bun's fetch silently sends these again; the gateway must know of every attempt.
    const keepalive = method !== 'PUT' && method !== 'DELETE'
    return fetch(url, {
      method,
      headers,
      body,
      signal,
      keepalive,
      redirect: 'manual',
      decompress: false,
      timeout: false,
    })
  },
  openWebSocket: openUpstreamSocket,
  explain(error) {
    if (error instanceof HandshakeRefused) return { kind: 'websocket-refused', cause: error.message }
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    return { kind: INVALID_REPLY.has(code) ? 'invalid-response' : 'unreachable', cause: code }
  },
}
