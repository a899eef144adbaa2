import type { Clock } from '../core/clock.ts'
import type { Metrics } from '../core/telemetry.ts'

export interface DeadLetterGaugeParts {
  /** Queues that are known to be there. */
  readonly queues: readonly string[]
  /** How many messages a queue holds; undefined when there is no such queue. */
  readonly count: (queue: string) => Promise<number | undefined>
  readonly clock: Clock
  readonly metrics: Metrics
}

const SWEEP_MS = 15_000

/**
 * Keeps `sluice_dead_letters` at what the broker has, looked up every 15 s. While the broker is away the last value
 * stands. The returned function ends it.
 */
export function watchDeadLetters({ queues, count, clock, metrics }: DeadLetterGaugeParts): () => void {
  let cancel = () => {}
  let ended = false

  async function sweep(): Promise<void> {
    for (const queue of queues) {
      const messages = await count(queue).catch(() => undefined)
      if (messages !== undefined) metrics.gauge('sluice_dead_letters', messages, { queue })
    }
    if (!ended) cancel = clock.after(SWEEP_MS, sweep)
  }

  // The queues are declared by then, or nearly: a look at a missing one is an error in the broker's log.
  if (queues.length > 0) cancel = clock.after(SWEEP_MS, sweep)
  return () => {
    ended = true
    cancel()
  }
}
