import type { SagaEntry } from './saga-entry.ts'

/** Until when undoing it is tried, in milliseconds since the Unix epoch. */
export function boundOf({ undoingSinceMs, beganAtMs, draft }: SagaEntry): number {
  return (undoingSinceMs ?? beganAtMs) + draft.withinMs
}

/** Whether upstreams may have forgotten the keys of its writes. */
export function isForgotten({ requeuedAtMs, beganAtMs, draft }: SagaEntry, nowMs: number): boolean {
  return nowMs - (requeuedAtMs ?? beganAtMs) >= draft.withinMs
}

/** Whether the time is up in which undoing is tried. */
export function isLate(entry: SagaEntry, nowMs: number): boolean {
  return nowMs >= boundOf(entry)
}
