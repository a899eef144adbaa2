import type { Clock } from '../core/clock.ts'
import type { Logger, Metrics } from '../core/telemetry.ts'
import type { Outbox } from './outbox.ts'

export interface LeaseParts {
  readonly outbox: Pick<Outbox, 'acquireLease' | 'releaseLease'>
  /** Names this process among those that share the outbox. */
  readonly holder: string
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
}

/** The right to deliver and settle what is in an outbox, which one process at a time has. */
export interface Lease {
  /**
   * Whether this process has it at this very moment. To be asked right before each thing that only the holder may do:
   * it ends by itself, even while the process was paused.
   */
  readonly isHeld: boolean
  /** Calls `listener` each time this process gets it; the returned function ends that. */
  onHeld(listener: () => void): () => void
  /** Gives it up, so that another process has it at once. Comes after all that needs it, and before the outbox is closed. */
  stop(): Promise<void>
}

const TTL_MS = 5_000
const RENEW_MS = 1_000
/** What is begun while it is held, a write to a socket say, is done this much before another process may begin. */
const MARGIN_MS = 1_000

/** Asks for the lease of the outbox every second, and prolongs it while it is held. */
export function startLease({ outbox, holder, clock, log, metrics }: LeaseParts): Lease {
  const listeners = new Set<() => void>()
  let heldUntilMs = Number.NEGATIVE_INFINITY
  let wasHeld = false
  let stopped = false
  let cancel = () => {}
  let asking = ask()

  const isHeld = () => !stopped && clock.monotonic() < heldUntilMs

  async function ask(): Promise<void> {
    const askedAtMs = clock.monotonic()
    try {
      const isHolder = await outbox.acquireLease(holder, TTL_MS, askedAtMs)
      heldUntilMs = isHolder ? askedAtMs + TTL_MS - MARGIN_MS : Number.NEGATIVE_INFINITY
    } catch (error) {
      // What was held is held until its time is over.
      log.error('Cannot ask for the lease of the outbox', {
        reason: error instanceof Error ? error.message : `${error}`,
      })
    }
    if (stopped) return
    tell()
    cancel = clock.after(RENEW_MS, () => {
      asking = ask()
    })
  }

  function tell(): void {
    const held = isHeld()
    metrics.gauge('sluice_relay_lease_held', held ? 1 : 0)
    if (held === wasHeld) return
    wasHeld = held
    log.info(
      held ? 'This process delivers the events of the outbox' : 'Another process delivers the events of the outbox',
    )
    if (held) for (const listener of listeners) listener()
  }

  return {
    get isHeld() {
      return isHeld()
    },
    onHeld(listener) {
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
    async stop() {
      stopped = true
      cancel()
      await asking
      await outbox.releaseLease(holder).catch(() => {})
      metrics.gauge('sluice_relay_lease_held', 0)
    },
  }
}
