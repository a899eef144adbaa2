import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/telemetry.ts'
import { addressKey, type DueEvent } from './outbox.ts'

/** What is said of one failed attempt. */
export interface FailedAttempt {
  readonly entry: DueEvent
  readonly failures: number
  readonly retryInMs: number
  readonly reason: string
}

const SILENT_MS = 60_000
/** Reasons and addresses that are remembered; one that is forgotten is told again. */
const MOST_REMEMBERED = 1_000

/**
 * Tells the log of events that are sent again: once for each address and reason, and again after a minute with how many
 * attempts failed meanwhile. A queue that is missing fails every event that goes there, and has one cause.
 */
export function createFailureNotices(clock: Pick<Clock, 'monotonic'>, log: Logger): (attempt: FailedAttempt) => void {
  const told = new Map<string, { readonly atMs: number; untold: number }>()

  return ({ entry: { id, event, address }, failures, retryInMs, reason }) => {
    const key = `${addressKey(address)}\u001f${reason}`
    const nowMs = clock.monotonic()
    const last = told.get(key)
    if (last && nowMs - last.atMs < SILENT_MS) {
      last.untold++
      return
    }
    const others = last?.untold ?? 0
    told.delete(key)
    told.set(key, { atMs: nowMs, untold: 0 })
    const [oldest] = told.keys()
    if (told.size > MOST_REMEMBERED && oldest !== undefined) told.delete(oldest)
    log.warn('An event was not delivered and will be sent again', {
      id,
      event: event.id,
      ...address,
      failures,
      retryInMs,
      reason,
      ...(others > 0 && { attemptsSinceToldLast: others }),
    })
  }
}
