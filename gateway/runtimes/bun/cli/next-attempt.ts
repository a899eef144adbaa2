/** What is tried again by a gateway that runs, and by nobody while none does. */
export interface Tried {
  /** Milliseconds since the Unix epoch; at once when left out. */
  readonly nextAtMs?: number
}

/** When it is tried next, in full seconds and never too early: `in 1m 30s`, or `now` when it is due. */
export function nextAttempt({ nextAtMs = 0 }: Tried, nowMs: number): string {
  const seconds = Math.ceil((nextAtMs - nowMs) / 1_000)
  if (seconds <= 0) return 'now'
  const minutes = Math.floor(seconds / 60)
  return `in ${[minutes > 0 && `${minutes}m`, seconds % 60 > 0 && `${seconds % 60}s`].filter(Boolean).join(' ')}`
}

/** As JSON tells it: without a time at which nobody does anything, unless `isLive`. */
export function asPromised<Item extends Tried>(item: Item, isLive: boolean): Item | Omit<Item, 'nextAtMs'> {
  if (isLive) return item
  const { nextAtMs: _, ...rest } = item
  return rest
}

/** What becomes of an item that was put back, as a command says it. */
export function triedBy(isLive: boolean): string {
  return isLive ? 'the gateway tries it now' : 'no gateway was reached; the next one that runs tries it at once'
}
