/** How long to wait between attempts: `baseMs` after the first failure, twice as long after each further one, at most `maxMs`. */
export interface Backoff {
  readonly baseMs: number
  readonly maxMs: number
}

/** The wait in milliseconds after `failures` failures in a row (1 or more), of which `random` (in [0, 1)) takes off up to half. */
export function backoffMs({ baseMs, maxMs }: Backoff, failures: number, random: () => number): number {
  const fullMs = Math.min(maxMs, baseMs * 2 ** (failures - 1))
  return fullMs - (fullMs / 2) * random()
}
