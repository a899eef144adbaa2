/** Most time kept back from the route's deadline, so that what came in time is still sent in time. */
const RESERVE_MS = 100

/** Of so much time that a route has left, in milliseconds, what is there to compose in; the rest is to answer in. */
export function timeToCompose(leftMs: number): number {
  return Math.max(0, leftMs - Math.min(RESERVE_MS, leftMs / 10))
}
