import { Broker, type BrokerStats } from '../../broker/broker.ts'
import { type BrokerLimits, DEFAULT_LIMITS } from '../../broker/limits.ts'
import { Connection } from '../../broker/session/connection.ts'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/telemetry.ts'
import { type BrokerFile, openBrokerFile } from './broker-file.ts'
import { SocketWire, type WiredSocket } from './socket-wire.ts'

export interface EmbeddedBrokerOptions {
  /** Address to listen on. Default 127.0.0.1: whoever can connect may do everything, so keep it on the loopback. */
  readonly host?: string
  /** Default 0: any free port. */
  readonly port?: number
  /** Keeps durable queues and their persistent messages in this file. Without it everything ends with the broker. */
  readonly file?: string | undefined
  readonly clock: Clock
  readonly log: Logger
  readonly limits?: Partial<BrokerLimits>
}

/** Numbers for operators. */
export interface EmbeddedBrokerStats extends BrokerStats {
  readonly connections: number
  readonly channels: number
  /** Size of its file, 0 without one. */
  readonly fileBytes: number
  /** Why publishers are asked to pause; undefined while they may publish. */
  readonly pauseReason: string | undefined
}

export interface EmbeddedBroker {
  /** For any AMQP 0-9-1 client, e.g. `amqp://guest:guest@127.0.0.1:49152`. */
  readonly url: string
  /** Tells all clients, closes their connections, the listener and the file. Without a file all messages are gone. */
  stop(): Promise<void>
  stats(): EmbeddedBrokerStats
}

/** How long a client may take to read its last octets and hang up. */
const LINGER_MS = 1_000

interface Session {
  readonly connection: Connection
  readonly wire: SocketWire
}

/**
 * Starts the embedded AMQP broker; rejects when the address or the file cannot be had. See `gateway/broker/README.md` for what it
 * promises.
 */
export async function startEmbeddedBroker(options: EmbeddedBrokerOptions): Promise<EmbeddedBroker> {
  const { host = '127.0.0.1', port = 0, clock, log, limits = {} } = options
  const { broker, file } = openBroker(options)
  const mostConnections = limits.connections ?? DEFAULT_LIMITS.connections
  const sessions = new Map<WiredSocket, Session>()
  let allGone: (() => void) | undefined

  const listener = listen(
    {
      hostname: host,
      port,
      socket: {
        binaryType: 'uint8array',
        open(socket) {
          if (sessions.size >= mostConnections) {
            log.warn('Broker refuses a connection: too many are open', { limit: mostConnections })
            socket.terminate()
            return
          }
          const drained = () => sessions.get(socket)?.connection.drained()
          const wire = new SocketWire({ socket, clock, lingerMs: LINGER_MS, drained })
          sessions.set(socket, { wire, connection: new Connection({ wire, broker, log }) })
        },
        data(socket, bytes) {
          sessions.get(socket)?.connection.receive(bytes)
        },
        drain(socket) {
          sessions.get(socket)?.wire.flush()
        },
        close(socket) {
          const session = sessions.get(socket)
          if (!sessions.delete(socket)) return
          session?.wire.closed()
          session?.connection.lost()
          if (sessions.size === 0) allGone?.()
        },
        error(_socket, error) {
          log.warn('Broker socket failed', { error: error.message })
        },
      },
    },
    file,
  )

  if (!isLoopback(host)) log.warn('Broker listens beyond this machine and asks nobody for a password', { host })

  return {
    url: `amqp://guest:guest@${host.includes(':') ? `[${host}]` : host}:${listener.port}`,
    async stop() {
      listener.stop()
      for (const { connection } of [...sessions.values()]) connection.shutdown()
      if (sessions.size > 0) {
        await new Promise<void>((resolve) => {
          allGone = resolve
        })
      }
      broker.end()
      file?.close()
    },
    stats() {
      const connections = [...sessions.values()].map((session) => session.connection)
      const channels = connections.reduce((sum, connection) => sum + connection.channelCount, 0)
      const { pauseReason } = broker.room
      const fileBytes = file?.sizeBytes() ?? 0
      return { ...broker.stats(), connections: connections.length, channels, fileBytes, pauseReason }
    },
  }
}

/** Opens the file and takes over what is in it. */
function openBroker({ clock, log, limits = {}, file: path }: EmbeddedBrokerOptions): {
  readonly broker: Broker
  readonly file: BrokerFile | undefined
} {
  if (path === undefined) return { broker: new Broker({ clock, limits }), file: undefined }
  const file = openBrokerFile({ path, clock })
  try {
    const broker = new Broker({ clock, limits, storage: file })
    let isFailing = false
    broker.room.watch(() => {
      const { failure } = file
      if (failure !== undefined && !isFailing)
        log.error('Broker cannot write its file, and confirms nothing', { path, reason: failure })
      if (failure === undefined && isFailing) log.info('Broker writes its file again', { path })
      isFailing = failure !== undefined
    })
    return { broker, file }
  } catch (cause) {
    file.close()
    throw file.explain(cause)
  }
}

type Listening = Bun.TCPSocketListenOptions<undefined>

function listen(options: Listening, file: BrokerFile | undefined): Bun.TCPSocketListener<undefined> {
  try {
    return Bun.listen<undefined>(options)
  } catch (error) {
    file?.close()
    throw error
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}
