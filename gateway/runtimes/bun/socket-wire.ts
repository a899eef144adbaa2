import type { Wire } from '../../broker/session/wire.ts'
import type { Clock } from '../../core/clock.ts'

export type WiredSocket = Bun.Socket<undefined>

export interface SocketWireOptions {
  readonly socket: WiredSocket
  readonly clock: Clock
  /** How long the other side may take to read the last octets before the line is cut. */
  readonly lingerMs: number
  /** Called whenever everything that was sent has left. */
  readonly drained: () => void
}

/** Writes to a Bun socket: gathers what is sent within one turn, and keeps what the socket does not take until it drains. */
export class SocketWire implements Wire {
  readonly #socket: WiredSocket
  readonly #clock: Clock
  readonly #lingerMs: number
  #pending: Uint8Array[] = []
  #bufferedBytes = 0
  #isScheduled = false
  #isFull = false
  #state: 'open' | 'closing' | 'closed' = 'open'
  #cancelLinger: (() => void) | undefined
  readonly #drained: () => void

  constructor({ socket, clock, lingerMs, drained }: SocketWireOptions) {
    this.#socket = socket
    this.#clock = clock
    this.#lingerMs = lingerMs
    this.#drained = drained
    socket.setNoDelay(true)
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes
  }

  send(bytes: Uint8Array): void {
    if (this.#state !== 'open') return
    this.#pending.push(bytes)
    this.#bufferedBytes += bytes.length
    if (this.#isScheduled || this.#isFull) return
    this.#isScheduled = true
    queueMicrotask(() => this.flush())
  }

  /** Writes what the socket takes. Call it when the socket has room again. */
  flush(): void {
    this.#isScheduled = false
    if (this.#state === 'closed') return
    if (this.#bufferedBytes > 0) this.#write(this.#gathered())
    this.#isFull = this.#bufferedBytes > 0
    if (this.#isFull) return
    if (this.#state === 'closing') this.#socket.end()
    else this.#drained()
  }

  /** Sends the rest and hangs up; cuts the line when the other side does not let it. */
  close(): void {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    this.#cancelLinger = this.#clock.after(this.#lingerMs, () => this.abort())
    this.#socket.resume()
    if (!this.#isFull) queueMicrotask(() => this.flush())
  }

  abort(): void {
    if (this.#state === 'closed') return
    this.#socket.terminate()
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** The socket is closed: nothing more can be sent, nothing is worth keeping. */
  closed(): void {
    this.#state = 'closed'
    this.#cancelLinger?.()
    this.#pending = []
    this.#bufferedBytes = 0
  }

  #write(bytes: Uint8Array): void {
    // Negative when the socket is closing; its close event comes.
    const written = Math.max(this.#socket.write(bytes), 0)
    this.#bufferedBytes = bytes.length - written
    this.#pending = this.#bufferedBytes > 0 ? [bytes.subarray(written)] : []
  }

  #gathered(): Uint8Array {
    const [only] = this.#pending
    if (this.#pending.length === 1 && only !== undefined) return only
    const whole = new Uint8Array(this.#bufferedBytes)
    let offset = 0
    for (const chunk of this.#pending) {
      whole.set(chunk, offset)
      offset += chunk.length
    }
    return whole
  }
}
