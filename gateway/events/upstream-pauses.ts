import { type Backoff, backoffMs } from './backoff.ts'

/** Upstreams that are left alone for a while, because they failed. `nowMs` is a reading of the monotonic clock. */
export interface UpstreamPauses {
  /** For how much longer, in milliseconds; `undefined` when it may be asked. */
  left(upstream: string, nowMs: number): number | undefined
  /** It failed: longer each time, at least `afterMs`. */
  failed(upstream: string, nowMs: number, afterMs?: number): void
  answered(upstream: string): void
  /** Every one may be asked again. */
  forget(): void
}

const PAUSE: Backoff = { baseMs: 1_000, maxMs: 30_000 }

export function createUpstreamPauses(random: () => number): UpstreamPauses {
  const pauses = new Map<string, { readonly failures: number; readonly untilMs: number }>()
  return {
    left(upstream, nowMs) {
      const leftMs = (pauses.get(upstream)?.untilMs ?? 0) - nowMs
      return leftMs > 0 ? leftMs : undefined
    },
    failed(upstream, nowMs, afterMs = 0) {
      const known = pauses.get(upstream)
      // Those that were asked together fail together, which is one failure.
      if (known && known.untilMs > nowMs) return
      const failures = (known?.failures ?? 0) + 1
      pauses.set(upstream, { failures, untilMs: nowMs + Math.max(afterMs, backoffMs(PAUSE, failures, random)) })
    },
    answered(upstream) {
      pauses.delete(upstream)
    },
    forget() {
      pauses.clear()
    },
  }
}
