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
 * How long the shortest of some runs took, in milliseconds; the first that takes at most `enoughMs` is the last. A machine
 * that is busy with other things makes a run late, but not each of them.
 */
export async function quickestRun(enoughMs: number, run: () => unknown, most = 10): Promise<number> {
  let quickestMs = Number.POSITIVE_INFINITY
  for (let i = 0; i < most && quickestMs > enoughMs; i++) {
    const startedMs = performance.now()
    await run()
    quickestMs = Math.min(quickestMs, performance.now() - startedMs)
  }
  return quickestMs
}
