import type { Clock } from '../../core/clock.ts'
import type { Transport } from '../../upstream/transport.ts'
import { fetchTransport } from './fetch-transport.ts'
import { Http1Call } from './http1/call.ts'
import { ConnectionFailure } from './http1/connection-failure.ts'
import { MalformedReply } from './http1/malformed-reply.ts'
import { ConnectionPools } from './http1/pools.ts'
import { writeTarget } from './http1/request-head.ts'
import { openUpstreamSocket } from './upstream-socket.ts'

export interface UpstreamTransport extends Transport {
  /** Closes the kept connections; calls under way fail. */
  close(): void
}

/** Upstreams over kept connections of the gateway's own; those behind TLS over Bun's `fetch`. */
export function createUpstreamTransport(clock: Clock): UpstreamTransport {
  const pools = new ConnectionPools(clock)
  return {
    send(request, receiver) {
      const { origin, target, stop } = request
      if (!origin.startsWith('http:')) fetchTransport.send(request, receiver)
      else if (stop.reason !== undefined) receiver.failed(stop.reason)
      else pools.to(origin).send(new Http1Call(request, writeTarget(origin, target), receiver))
    },
    openWebSocket: openUpstreamSocket,
    explain(error, method) {
      if (error instanceof MalformedReply) return { kind: 'invalid-response', cause: error.message }
      if (error instanceof ConnectionFailure) {
        return { kind: 'unreachable', cause: error.code, isUnsent: error.isUnsent }
      }
      return fetchTransport.explain(error, method)
    },
    close: () => pools.close(),
  }
}
