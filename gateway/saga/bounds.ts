import type { SagaEntry } from './saga-entry.ts'

/** Since when undoing it is tried, in milliseconds since the Unix epoch. */
export function sinceMs({ undoingSinceMs, beganAtMs }: SagaEntry): number {
  return undoingSinceMs ?? beganAtMs
}

/** Whether upstreams may have forgotten the keys of its writes. */
export function isForgotten({ requeuedAtMs, beganAtMs, draft }: SagaEntry, nowMs: number): boolean {
  return nowMs - (requeuedAtMs ?? beganAtMs) >= draft.withinMs
}

/** Whether the time is up in which undoing is tried. */
export function isLate(entry: SagaEntry, nowMs: number): boolean {
  return nowMs - sinceMs(entry) >= entry.draft.withinMs
}
