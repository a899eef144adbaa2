import type { Socket } from 'bun'

/** A TCP relay in front of a broker: opening and cutting it is what a network does to a connection. */
export interface Relay {
  readonly port: number
  open(): void
  /** Cuts every connection and refuses new ones. */
  cut(): void
}

/** Reserves a port and relays it to `target` while open; closed at first. */
export function createRelay(target: URL): Relay {
  const port = freePort()
  const sockets = new Set<Socket<unknown>>()
  let listener: { stop(force: boolean): void } | undefined

  function open(): void {
    listener = Bun.listen<{ upstream: Promise<Socket<undefined>> }>({
      hostname: '127.0.0.1',
      port,
      socket: {
        open(client) {
          sockets.add(client)
          client.data = { upstream: connect(client) }
        },
        data: async (client, bytes) => void (await client.data.upstream).write(bytes),
        close: async (client) => void (await client.data.upstream).end(),
      },
    })
  }

  function connect(client: Socket<unknown>): Promise<Socket<undefined>> {
    return Bun.connect({
      hostname: target.hostname,
      port: Number(target.port || 5672),
      socket: { data: (_, bytes) => void client.write(bytes), close: () => void client.end() },
    })
  }

  return {
    port,
    open,
    cut() {
      listener?.stop(true)
      for (const socket of sockets) socket.terminate()
      sockets.clear()
    },
  }
}

function freePort(): number {
  const probe = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  probe.stop(true)
  return probe.port
}
