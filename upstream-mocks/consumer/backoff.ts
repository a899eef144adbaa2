/** Doubles from `firstMs` to `longestMs`, with jitter (chance in [0, 1)) over the upper half, so that nobody marches in step. */
export function backoffMs(failures: number, chance: number, { firstMs, longestMs }: Backoff): number {
  const ceilingMs = Math.min(longestMs, firstMs * 2 ** Math.min(failures, 30))
  return ceilingMs / 2 + (ceilingMs / 2) * chance
}

/** The bounds of a wait that grows. */
export interface Backoff {
  readonly firstMs: number
  readonly longestMs: number
}
