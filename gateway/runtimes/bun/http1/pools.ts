import type { Clock } from '../../../core/clock.ts'
import { ConnectionFailure } from './connection-failure.ts'
import { ConnectionPool } from './pool.ts'

const SWEEP_EVERY_MS = 1_000

/** The connections to all addresses. One that is asked for nothing any more is forgotten. */
export class ConnectionPools {
  readonly #clock: Clock
  readonly #pools = new Map<string, ConnectionPool>()
  readonly #now: () => number
  #stopSweeping: (() => void) | undefined
  #isClosed = false

  constructor(clock: Clock) {
    this.#clock = clock
    this.#now = () => clock.monotonic()
  }

  /** The connections to `http://host[:port]`. Throws once they are closed. */
  to(origin: string): ConnectionPool {
    if (this.#isClosed) throw new ConnectionFailure('the gateway stops', { isUnsent: true })
    const known = this.#pools.get(origin)
    if (known) return known
    const pool = new ConnectionPool(origin, this.#now)
    this.#pools.set(origin, pool)
    this.#stopSweeping ??= this.#clock.after(SWEEP_EVERY_MS, this.#sweep)
    return pool
  }

  /** Closes every connection; calls under way fail. */
  close(): void {
    this.#isClosed = true
    this.#stopSweeping?.()
    for (const pool of this.#pools.values()) pool.close()
    this.#pools.clear()
  }

  readonly #sweep = () => {
    for (const [origin, pool] of this.#pools) {
      pool.sweep()
      if (pool.isEmpty) this.#pools.delete(origin)
    }
    this.#stopSweeping = this.#pools.size > 0 ? this.#clock.after(SWEEP_EVERY_MS, this.#sweep) : undefined
  }
}
