import type { Clock } from '../../gateway/core/clock.ts'

/** The time of day, for tests against real sockets and processes. */
export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs)
    return () => clearTimeout(timer)
  },
}

/** Resolves as soon as `condition` holds; rejects with `what` when it does not within `withinMs` milliseconds. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 10_000,
): Promise<void> {
  const endMs = Date.now() + withinMs
  while (!(await condition())) {
    if (Date.now() > endMs) throw new Error(`Expected within ${withinMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/**
 * The least of what some tries measure, in milliseconds; the first of at most `enoughMs` is the last. A machine that is
 * busy with other things makes a try late, but not each of them.
 */
export async function quickest(enoughMs: number, measure: () => Promise<number>, most = 10): Promise<number> {
  let quickestMs = Number.POSITIVE_INFINITY
  for (let i = 0; i < most && quickestMs > enoughMs; i++) quickestMs = Math.min(quickestMs, await measure())
  return quickestMs
}

/** How long the quickest of some runs took. */
export function quickestRun(enoughMs: number, run: () => unknown, most?: number): Promise<number> {
  return quickest(
    enoughMs,
    async () => {
      const startedMs = performance.now()
      await run()
      return performance.now() - startedMs
    },
    most,
  )
}
