import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** A door in front of a TCP server that a test can close in different ways. */
export interface TcpGate {
  readonly port: number
  /** Passes bytes both ways: new connections and those that stand. */
  open(): Promise<void>
  /** Accepts connections and takes bytes, and nothing ever comes back. */
  hang(): void
  /** Cuts every connection and refuses new ones. */
  refuse(): Promise<void>
  close(): Promise<void>
}

/** Opens a gate on a free port in front of the server at `target`. */
export async function openTcpGate(target: URL): Promise<TcpGate> {
  const sockets = new Set<Socket>()
  let hanging = false
  let server = listen()
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo

  function listen(onPort = 0): Server {
    return createServer((client) => {
      const upstream = connect(Number(target.port), target.hostname)
      pass(client, upstream)
      pass(upstream, client)
    }).listen(onPort, '127.0.0.1')
  }

  function pass(from: Socket, to: Socket): void {
    sockets.add(from)
    from.on('data', (bytes) => {
      if (!hanging) to.write(bytes)
    })
    from.on('error', () => {})
    from.on('close', () => {
      sockets.delete(from)
      to.destroy()
    })
  }

  async function refuse(): Promise<void> {
    for (const socket of sockets) socket.destroy()
    if (!server.listening) return
    server.close()
    await once(server, 'close')
  }

  return {
    port,
    async open() {
      hanging = false
      if (server.listening) return
      server = listen(port)
      await once(server, 'listening')
    },
    hang() {
      hanging = true
    },
    refuse,
    close: refuse,
  }
}
