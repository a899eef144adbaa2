import type { Clock } from '../../core/clock.ts'

export interface HeartbeatOptions {
  readonly clock: Clock
  /** What client and broker agreed on; 0 turns heartbeats off. */
  readonly intervalMs: number
  readonly beat: () => void
  /** Called once when nothing was heard for two intervals. */
  readonly silent: () => void
}

/** Sends a heartbeat every half interval and notices when the other side has fallen silent (AMQP 0-9-1, 4.2.7). */
export class Heartbeat {
  readonly #options: HeartbeatOptions
  #heardAt: number
  #cancel: (() => void) | undefined

  constructor(options: HeartbeatOptions) {
    this.#options = options
    this.#heardAt = options.clock.monotonic()
    if (options.intervalMs > 0) this.#appoint()
  }

  /** Any octet from the other side counts. */
  heard(): void {
    this.#heardAt = this.#options.clock.monotonic()
  }

  stop(): void {
    this.#cancel?.()
  }

  #appoint(): void {
    const { clock, intervalMs, beat, silent } = this.#options
    this.#cancel = clock.after(intervalMs / 2, () => {
      if (clock.monotonic() - this.#heardAt >= intervalMs * 2) return silent()
      beat()
      this.#appoint()
    })
  }
}
