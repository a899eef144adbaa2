import http from 'node:http'
import type { Server } from 'bun'
import type { Clock } from '../../core/clock.ts'
import { GatewayError, toProblem } from '../../core/errors.ts'
import type { Tunnel } from '../../core/exchange.ts'
import type { Gateway } from '../../gateway.ts'
import { isWebSocketHandshake } from '../../upstream/websocket.ts'
import { Departures } from './departures.ts'
import { MAX_WAITING_BYTES, sendable } from './upstream-socket.ts'

export interface ListenerOptions {
  readonly host: string
  readonly port: number
  /** Longest silence on a connection, in milliseconds; Bun counts it in steps of about 4 s, up to 255 s. */
  readonly idleMs: number
  /** Largest request line and header section that reach the gateway, in bytes; beyond it Bun answers an empty 431. */
  readonly maxHead: number
  /** Largest WebSocket message, in bytes. */
  readonly maxMessage: number
  /** The gateway of the moment: a reload swaps it, requests in flight finish on the old one. */
  readonly gateway: () => Gateway
  readonly createId: () => string
  readonly clock: Clock
}

interface Joined {
  readonly tunnel: Tunnel
}

const SHORTEST_IDLE_SECONDS = 8
const LONGEST_IDLE_SECONDS = 255

/** Serves a gateway on a port. Throws what `Bun.serve` throws, e.g. `EADDRINUSE`. */
export function listen({ host, port, idleMs, maxHead, maxMessage, gateway, createId, clock }: ListenerOptions) {
  const departures = new Departures(clock)
  // Bun.serve has no option for it but reads this one, which Node's types call read-only, when it starts to listen.
  Object.assign(http, { maxHeaderSize: maxHead })

  async function join(request: Request, server: Server<Joined>, ip: string | undefined): Promise<Response | undefined> {
    let tunnel: Tunnel | undefined
    const response = await gateway().fetch(request, {
      ip,
      gone: request.signal,
      upgrade: (joined) => {
        tunnel = joined
      },
    })
    if (!tunnel) return response
    const { upstream } = tunnel
    if (
      response.status === TUNNELLED &&
      server.upgrade(request, { data: { tunnel }, headers: upgradeHeaders(response, upstream.protocol) })
    )
      return undefined
    upstream.close(1011, '')
    return response.status === TUNNELLED
      ? toProblem(new GatewayError('invalid-request', { detail: 'The WebSocket handshake is not valid' }), createId())
      : response
  }

  return Bun.serve<Joined>({
    hostname: host,
    port,
    // Two gateways on one port would share its traffic without a word.
    reusePort: false,
    // In development Bun prints broken replies, their URLs and our source to standard error.
    development: false,
    idleTimeout: Math.min(LONGEST_IDLE_SECONDS, Math.max(SHORTEST_IDLE_SECONDS, Math.ceil(idleMs / 1_000))),
    // The gateway's own limit answers with a problem; Bun's would answer with an empty 413.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,

    fetch(request, server) {
      const ip = plainAddress(server.requestIP(request)?.address)
      return isWebSocketHandshake(request)
        ? join(request, server, ip)
        : gateway().fetch(request, { ip, gone: departures.of(request) })
    },

    /** Reached when a reply breaks before its first byte went out. */
    error: () => toProblem(new GatewayError('upstream-invalid-response'), createId()),

    websocket: {
      maxPayloadLength: maxMessage,
      backpressureLimit: MAX_WAITING_BYTES,
      closeOnBackpressureLimit: true,
      open(client) {
        client.data.tunnel.upstream.attach({
          message: (data) => void client.send(data),
          close: (code, reason) => client.close(sendable(code), reason),
        })
      },
      message: (client, data) => client.data.tunnel.upstream.send(data),
      close: (client, code, reason) => client.data.tunnel.upstream.close(code === 1006 ? 1001 : sendable(code), reason),
    },
  })
}

/** What the forwarder answers with once a tunnel is open. */
const TUNNELLED = 204

function upgradeHeaders(response: Response, protocol: string): Headers {
  const headers = new Headers(response.headers)
  if (protocol !== '') headers.set('sec-websocket-protocol', protocol)
  return headers
}

/** An IPv4 client of a dual-stack socket is shown in its IPv4 form. */
function plainAddress(address: string | undefined): string | undefined {
  return address?.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address
}
