import type { Http1Call } from './call.ts'
import { type Keeper, UpstreamConnection } from './connection.ts'
import { ConnectionFailure } from './connection-failure.ts'
import { linesOfHost } from './request-head.ts'

/** How long a connection is kept that nobody uses: less than the 5 s after which many servers close theirs. */
const KEPT_FOR_MS = 4_000
/** An upstream that says when it closes is believed, but for the time a request takes to get there. */
const MARGIN_MS = 1_000
/** How long a connection is used at most: then the name is looked up again, which may mean another machine by now. */
const USED_FOR_MS = 300_000
/**
 * Connections that may still be opening when the calls that wanted them were given up. Bun has no way to stop one, and
 * where packets vanish each takes up a socket for two minutes.
 */
const MAX_UNWANTED = 256

const HANDLERS: Bun.SocketHandler<UpstreamConnection, 'buffer'> = {
  open: (socket) => socket.data.opened(socket),
  data: (socket, bytes) => socket.data.data(bytes),
  drain: (socket) => socket.data.drain(),
  end: (socket) => socket.data.ended(),
  close: (socket, error) => socket.data.closed(error),
  // Not the network's errors but those thrown by the handlers above.
  error: (socket, error) => socket.data.giveUp(error),
}

/**
 * The connections to one address, as many as there are calls at once. The last one used is used first, so that a quiet
 * time closes those that are not needed.
 */
export class ConnectionPool implements Keeper {
  readonly hostLines: string
  readonly #hostname: string
  readonly #port: number
  readonly #now: () => number
  readonly #open = new Set<UpstreamConnection>()
  readonly #idle: UpstreamConnection[] = []
  /** Calls for which no connection was free; there are at least as many connections opening. */
  #waiting: Http1Call[] = []
  #opening = 0
  #isClosed = false

  /** `now` is in milliseconds and never goes back. */
  constructor(origin: string, now: () => number) {
    const url = new URL(origin)
    this.hostLines = linesOfHost(url.host)
    this.#hostname = url.hostname
    this.#port = Number(url.port || 80)
    this.#now = now
  }

  /** Nothing is open nor wanted. */
  get isEmpty(): boolean {
    return this.#open.size === 0 && this.#opening === 0
  }

  /** Sends a call on a kept connection, or on the first that is free or connected. */
  send(call: Http1Call): void {
    const now = this.#now()
    for (let kept = this.#idle.pop(); kept; kept = this.#idle.pop()) {
      if (kept.keptUntilMs > now) {
        kept.carry(call)
        return
      }
      kept.close()
    }
    this.#dropGivenUp()
    this.#waiting.push(call)
    if (this.#opening < MAX_UNWANTED + this.#waiting.length) void this.#connect()
  }

  repeat(call: Http1Call): void {
    this.#waiting.unshift(call)
    void this.#connect()
  }

  opened(connection: UpstreamConnection): void {
    this.#opening--
    this.#open.add(connection)
    this.#dropGivenUp()
    const call = this.#waiting.shift()
    if (call) connection.carry(call)
    else this.keep(connection, undefined)
  }

  keep(connection: UpstreamConnection, keptForMs: number | undefined): void {
    const now = this.#now()
    const forMs = Math.min(KEPT_FOR_MS, keptForMs === undefined ? KEPT_FOR_MS : keptForMs - MARGIN_MS)
    if (this.#isClosed || forMs <= 0 || now - connection.bornAtMs > USED_FOR_MS) {
      connection.close()
      return
    }
    if (this.#waiting.length > 0) this.#dropGivenUp()
    const [first] = this.#waiting
    // One that is sent again has met a kept connection that was dead.
    if (first && !first.wasSent) {
      this.#waiting.shift()
      connection.carry(first)
    } else {
      connection.keptUntilMs = now + forMs
      this.#idle.push(connection)
    }
  }

  forget(connection: UpstreamConnection): void {
    this.#open.delete(connection)
    const at = this.#idle.indexOf(connection)
    if (at >= 0) this.#idle.splice(at, 1)
  }

  /** Closes what nobody has used for long enough. */
  sweep(): void {
    const now = this.#now()
    for (const connection of [...this.#idle]) if (connection.keptUntilMs <= now) connection.close()
    this.#dropGivenUp()
  }

  /** Closes everything; calls under way fail. */
  close(): void {
    this.#isClosed = true
    const error = new ConnectionFailure('the gateway stops')
    for (const call of this.#waiting.splice(0)) {
      call.fail(call.wasSent ? error : new ConnectionFailure(error.code, { isUnsent: true }))
    }
    for (const connection of [...this.#open]) connection.giveUp(error)
  }

  async #connect(): Promise<void> {
    this.#opening++
    const connection = new UpstreamConnection(this, this.#now())
    const address = { hostname: this.#hostname, port: this.#port }
    try {
      await Bun.connect({ ...address, socket: HANDLERS, data: connection })
    } catch (error) {
      if (!connection.wasOpened) this.#refused(error)
    }
  }

  #refused(error: unknown): void {
    this.#opening--
    this.#dropGivenUp()
    // The others may still be opened for those who wait.
    if (this.#opening >= this.#waiting.length) return
    const call = this.#waiting.shift()
    call?.fail(ConnectionFailure.from(error, 'no connection', { isUnsent: !call.wasSent }))
  }

  #dropGivenUp(): void {
    if (this.#waiting.some(isOver)) this.#waiting = this.#waiting.filter((call) => !call.isOver)
  }
}

const isOver = ({ isOver }: Http1Call) => isOver
