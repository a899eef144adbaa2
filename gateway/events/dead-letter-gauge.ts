import type { Clock } from '../core/clock.ts'
import type { Metrics } from '../core/telemetry.ts'

export interface DeadLetterGaugeParts {
  /** Queues that may be there. */
  readonly queues: readonly string[]
  /** How many messages a queue holds; undefined when there is no such queue. */
  readonly count: (queue: string) => Promise<number | undefined>
  readonly clock: Clock
  readonly metrics: Metrics
}

const SWEEP_MS = 15_000
/** RabbitMQ writes an error into its log for each look at a queue that is missing. */
const LONGEST_PAUSE_MS = 300_000

/**
 * Keeps `sluice_dead_letters` at what the broker has, looked up every 15 s, and more and more rarely while there is no
 * such queue, up to every five minutes. While the broker is away the last value stands. The returned function ends it.
 */
export function watchDeadLetters({ queues, count, clock, metrics }: DeadLetterGaugeParts): () => void {
  const cancels = new Map<string, () => void>()
  const found = new Set<string>()
  let ended = false

  async function look(queue: string, looksInVain: number): Promise<void> {
    const messages = await count(queue).catch(() => 'away' as const)
    if (ended) return
    if (messages === 'away') return plan(queue, looksInVain)
    if (messages !== undefined) found.add(queue)
    // One that was deleted has no letters any more.
    if (found.has(queue)) metrics.gauge('sluice_dead_letters', messages ?? 0, { queue })
    plan(queue, messages === undefined ? looksInVain + 1 : 0)
  }

  function plan(queue: string, looksInVain: number): void {
    const afterMs = Math.min(LONGEST_PAUSE_MS, SWEEP_MS * 2 ** Math.max(0, looksInVain - 1))
    cancels.set(
      queue,
      clock.after(afterMs, () => void look(queue, looksInVain)),
    )
  }

  // What the file declares is there by then, or nearly.
  for (const queue of queues) plan(queue, 0)
  return () => {
    ended = true
    for (const cancel of cancels.values()) cancel()
  }
}
