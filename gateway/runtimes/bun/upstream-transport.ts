import type { Transport } from '../../upstream/transport.ts'
import { fetchTransport } from './fetch-transport.ts'
import { UpstreamCall } from './http1/call.ts'
import { ConnectionFailure } from './http1/connection-failure.ts'
import { MalformedReply } from './http1/malformed-reply.ts'
import { ConnectionPool } from './http1/pool.ts'
import { targetOf } from './http1/request-head.ts'
import { openUpstreamSocket } from './upstream-socket.ts'

const pools = new Map<string, ConnectionPool>()

/** Upstreams over kept connections of the gateway's own; those behind TLS over Bun's `fetch`. */
export const upstreamTransport: Transport = {
  send(request) {
    const { url, signal } = request
    if (!url.startsWith('http:')) return fetchTransport.send(request)
    const end = url.indexOf('/', 'http://'.length)
    const origin = end < 0 ? url : url.slice(0, end)
    let pool = pools.get(origin)
    if (!pool) {
      pool = new ConnectionPool(origin, performance.now.bind(performance))
      pools.set(origin, pool)
    }
    const to = pool
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      to.send(new UpstreamCall(request, targetOf(url, origin), { resolve, reject }))
    })
  },
  openWebSocket: openUpstreamSocket,
  explain(error, method) {
    if (error instanceof MalformedReply) return { kind: 'invalid-response', cause: error.message }
    if (error instanceof ConnectionFailure) {
      return { kind: 'unreachable', cause: error.code, isUnsent: error.isUnsent }
    }
    return fetchTransport.explain(error, method)
  },
}
