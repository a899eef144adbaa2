import { connect, createServer, type Socket } from 'node:net'
import { HEARTBEAT_FRAME } from '../../gateway/broker/codec/frames.ts'
import { readMethod } from '../../gateway/broker/codec/method-codec.ts'
import type { MethodName } from '../../gateway/broker/codec/methods.ts'

/** A line to an AMQP broker on which nothing goes through from a certain method on, while heartbeats go on. */
export interface StallingLine {
  /** The broker's address, by this line. */
  readonly url: string
  /** The next connection stalls when the client sends `stage`, after it has done so `passes` times; it never comes to the broker. */
  stallOnce(stage: MethodName, passes?: number): void
  /** Whether a connection has stalled as it was told to. */
  readonly hasStalled: boolean
  /** Connections that are open, stalled ones included. */
  readonly connections: number
  stop(): void
}

const PROTOCOL_HEADER_BYTES = 8
const FRAME_HEADER_BYTES = 7
const METHOD_FRAME = 1
const BEAT_MS = 10

/** Listens on a port of 127.0.0.1 for a broker at `brokerUrl`. */
export function startStallingLine(brokerUrl: string): Promise<StallingLine> {
  const { hostname, port } = new URL(brokerUrl)
  const clients = new Set<Socket>()
  let next: { readonly stage: MethodName; left: number } | undefined
  let hasStalled = false

  const server = createServer((client) => {
    clients.add(client)
    const broker = connect({ host: hostname, port: Number(port || 5672) })
    let unread = Buffer.alloc(0)
    let isGreeted = false
    let isStalled = false
    const end = () => {
      clients.delete(client)
      client.destroy()
      broker.destroy()
    }
    for (const socket of [client, broker]) socket.on('error', end).on('close', end)

    function stall(): void {
      isStalled = true
      hasStalled = true
      next = undefined
      const beating = setInterval(() => client.write(HEARTBEAT_FRAME), BEAT_MS)
      client.on('close', () => clearInterval(beating))
    }

    function stallsAt(frame: Uint8Array): boolean {
      if (frame[0] !== METHOD_FRAME || !next) return false
      return readMethod(frame.subarray(FRAME_HEADER_BYTES, -1)).name === next.stage && next.left-- === 0
    }

    /** The octets of the next frame; undefined when they have not all come. */
    function takeFrame(): Buffer | undefined {
      const length = isGreeted
        ? FRAME_HEADER_BYTES + (unread.length < 7 ? 0 : unread.readUInt32BE(3)) + 1
        : PROTOCOL_HEADER_BYTES
      if (unread.length < length) return undefined
      const frame = unread.subarray(0, length)
      unread = unread.subarray(length)
      return frame
    }

    client.on('data', (bytes: Buffer) => {
      unread = Buffer.concat([unread, bytes])
      for (let frame = takeFrame(); frame && !isStalled; frame = takeFrame()) {
        if (isGreeted && stallsAt(frame)) return stall()
        isGreeted = true
        broker.write(frame)
      }
    })
    broker.on('data', (bytes: Buffer) => {
      if (!isStalled) client.write(bytes)
    })
  })

  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const url = new URL(brokerUrl)
      const address = server.address()
      url.hostname = '127.0.0.1'
      url.port = String(typeof address === 'object' ? address?.port : '')
      resolve({
        url: url.href,
        stallOnce(stage, passes = 0) {
          next = { stage, left: passes }
          hasStalled = false
        },
        get hasStalled() {
          return hasStalled
        },
        get connections() {
          return clients.size
        },
        stop() {
          server.close()
          for (const client of clients) client.destroy()
        },
      })
    })
  })
}
