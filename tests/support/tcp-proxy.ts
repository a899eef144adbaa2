import { connect, createServer, type Socket } from 'node:net'

/** A TCP proxy on a port of its own, through which a test can take a connection away. */
export interface TcpProxy {
  readonly port: number
  /** Passes nothing on in either direction, without a word, until `resume`; new connections too. */
  hold(): void
  /** Passes on what clients send and nothing that comes back, until `resume`. */
  holdReplies(): void
  /** Ends every connection at once, and every new one until `resume`. */
  cut(): void
  /** Passes `bytes` more on, in both directions together, and then does as `cut`: in the middle of whatever is under way. */
  cutAfter(bytes: number): void
  /** Passes on no more than this in each direction of each connection, until `resume`. */
  slow(bytesPerSecond: number): void
  /** Passes on again what connections that were held have sent, and accepts new ones. */
  resume(): void
  close(): Promise<void>
}

type Mode = 'pass' | 'hold' | 'hold-replies' | 'cut'

/** Starts a proxy on 127.0.0.1 in front of `port` on `host`. */
export function startTcpProxy(port: number, host = '127.0.0.1'): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  const upstreams = new Set<Socket>()
  let mode: Mode = 'pass'
  let bytesToCut = Number.POSITIVE_INFINITY
  let bytesPerSecond = Number.POSITIVE_INFINITY

  function cut(): void {
    mode = 'cut'
    for (const socket of sockets) socket.destroy()
  }

  function isHeld(socket: Socket): boolean {
    return mode === 'hold' || (mode === 'hold-replies' && upstreams.has(socket))
  }

  function hold(how: Mode): void {
    mode = how
    for (const socket of sockets) if (isHeld(socket)) socket.pause()
  }

  function join(from: Socket, to: Socket): void {
    from.on('data', (chunk: Uint8Array) => {
      to.write(chunk.subarray(0, bytesToCut))
      bytesToCut -= chunk.length
      if (bytesToCut <= 0) to.end(cut)
      if (bytesPerSecond === Number.POSITIVE_INFINITY) return
      from.pause()
      const waitMs = (chunk.length / bytesPerSecond) * 1_000
      setTimeout(() => {
        if (!isHeld(from)) from.resume()
      }, waitMs)
    })
    from.on('close', () => {
      sockets.delete(from)
      upstreams.delete(from)
      to.destroy()
    })
    // A reset is followed by `close`, which says all there is to say.
    from.on('error', () => {})
    sockets.add(from)
    if (isHeld(from)) from.pause()
  }

  const server = createServer((client) => {
    if (mode === 'cut') {
      client.destroy()
      return
    }
    const upstream = connect(port, host)
    upstreams.add(upstream)
    join(client, upstream)
    join(upstream, client)
  })

  const proxy = (listeningPort: number): TcpProxy => ({
    port: listeningPort,
    hold: () => hold('hold'),
    holdReplies: () => hold('hold-replies'),
    cut,
    cutAfter(bytes) {
      bytesToCut = bytes
    },
    slow(limit) {
      bytesPerSecond = limit
    },
    resume() {
      mode = 'pass'
      bytesToCut = Number.POSITIVE_INFINITY
      bytesPerSecond = Number.POSITIVE_INFINITY
      for (const socket of sockets) socket.resume()
    },
    close() {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  })

  return new Promise((resolve, reject) => {
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      if (address === null || typeof address === 'string') return reject(new Error('The proxy has no port'))
      resolve(proxy(address.port))
    })
  })
}
