import type { UpstreamCall } from './call.ts'
import { type Keeper, UpstreamConnection } from './connection.ts'
import { ConnectionFailure } from './connection-failure.ts'

/** How long a connection is kept that nobody uses: less than the 5 s after which many servers close theirs. */
const KEPT_FOR_MS = 4_000
/** An upstream that says when it closes is believed, but for the time a request takes to get there. */
const MARGIN_MS = 1_000
const SWEEP_EVERY_MS = 1_000

const HANDLERS: Bun.SocketHandler<UpstreamConnection, 'buffer'> = {
  open: (socket) => socket.data.opened(socket),
  data: (socket, bytes) => socket.data.data(bytes),
  drain: (socket) => socket.data.drain(),
  end: (socket) => socket.data.closed(),
  close: (socket, error) => socket.data.closed(error),
  error: (socket, error) => socket.data.closed(error),
}

/** A kept connection and when it is to be closed. */
interface Kept {
  readonly connection: UpstreamConnection
  readonly untilMs: number
}

/**
 * The connections to one address. As many are open as there are calls at once, which the upstream's `concurrency`
 * bounds; the last one used is used first, so that a quiet time closes those that are not needed.
 */
export class ConnectionPool implements Keeper {
  readonly host: string
  readonly #hostname: string
  readonly #port: number
  readonly #now: () => number
  readonly #idle: Kept[] = []
  #sweeper: ReturnType<typeof setInterval> | undefined

  constructor(origin: string, now: () => number) {
    const url = new URL(origin)
    this.host = url.host
    // An IPv6 address stands in brackets in URLs alone.
    this.#hostname = url.hostname.replace(/^\[(.*)\]$/, '$1')
    this.#port = Number(url.port || 80)
    this.#now = now
  }

  /** Sends a call on a kept connection, or on a new one. */
  send(call: UpstreamCall): void {
    const now = this.#now()
    for (let kept = this.#idle.pop(); kept; kept = this.#idle.pop()) {
      if (kept.untilMs > now) {
        kept.connection.carry(call)
        return
      }
      kept.connection.drop()
    }
    this.repeat(call)
  }

  repeat(call: UpstreamCall): void {
    const connection = new UpstreamConnection(this)
    Bun.connect({ hostname: this.#hostname, port: this.#port, socket: HANDLERS, data: connection }).then(
      () => {
        if (!call.isOver) connection.carry(call)
        else if (!connection.isClosed) this.keep(connection, undefined)
      },
      (error: unknown) => call.fail(ConnectionFailure.from(error, 'no connection', { isUnsent: !call.wasSent })),
    )
  }

  keep(connection: UpstreamConnection, keptForMs: number | undefined): void {
    const forMs = Math.min(KEPT_FOR_MS, keptForMs === undefined ? KEPT_FOR_MS : keptForMs - MARGIN_MS)
    if (forMs <= 0) {
      connection.drop()
      return
    }
    this.#idle.push({ connection, untilMs: this.#now() + forMs })
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_EVERY_MS)
  }

  forget(connection: UpstreamConnection): void {
    const at = this.#idle.findIndex((kept) => kept.connection === connection)
    if (at >= 0) this.#idle.splice(at, 1)
  }

  #sweep(): void {
    const now = this.#now()
    for (const { connection, untilMs } of [...this.#idle]) if (untilMs <= now) connection.drop()
    if (this.#idle.length > 0) return
    clearInterval(this.#sweeper)
    this.#sweeper = undefined
  }
}
