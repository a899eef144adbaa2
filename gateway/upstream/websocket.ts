import { GatewayError } from '../core/errors.ts'
import type { Call } from '../core/exchange.ts'
import type { Transport } from './transport.ts'

/** True for a WebSocket handshake (RFC 6455 §4.1). */
export function isWebSocketHandshake(request: Request): boolean {
  return request.method === 'GET' && request.headers.get('upgrade')?.toLowerCase() === 'websocket'
}

const PROTOCOLS = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*$/

/** Refuses a handshake the client got wrong, before any upstream is called (RFC 6455 §4.2.2). */
export function checkHandshake({ headers }: Request): void {
  if (headers.get('sec-websocket-version') !== '13') {
    throw new GatewayError('upgrade-required', { headers: { 'sec-websocket-version': '13', upgrade: 'websocket' } })
  }
  if (!/^[A-Za-z0-9+/]{22}==$/.test(headers.get('sec-websocket-key') ?? '')) {
    throw new GatewayError('invalid-request', { detail: 'The Sec-WebSocket-Key field is not valid' })
  }
  const protocols = headers.get('sec-websocket-protocol')
  if (protocols !== null && !PROTOCOLS.test(protocols)) {
    throw new GatewayError('invalid-request', { detail: 'The Sec-WebSocket-Protocol field is not a list of names' })
  }
}

/** Fields of the handshake itself, which the upstream connection makes anew. */
const HANDSHAKE = ['sec-websocket-key', 'sec-websocket-version', 'sec-websocket-extensions', 'sec-websocket-protocol']

/** Opens the upstream's side and hands it to the runtime, which joins it with the client's once the policies are done. */
export async function openTunnel(call: Call, base: string, transport: Transport): Promise<Response> {
  const { exchange, headers } = call
  if (!transport.openWebSocket || !exchange.upgrade) {
    throw new GatewayError('not-implemented', { detail: 'This runtime passes no WebSockets on' })
  }
  const offered = headers.get('sec-websocket-protocol')
  const protocols = offered === null ? [] : offered.split(',').map((name) => name.trim())
  for (const name of HANDSHAKE) headers.delete(name)
  const url = base.replace(/^http/, 'ws') + call.path
  const upstream = await transport.openWebSocket(url, headers, protocols, call.signal)
  call.record.status = 101
  exchange.upgrade({ upstream })
  return new Response(null, { status: 204 })
}
