import { type Clock, sleep } from '../../core/clock.ts'

/** How long a statement is tried again while another process is in its way, in milliseconds. */
export const BUSY_PATIENCE_MS = 5_000
const LONGEST_PAUSE_MS = 8

/** Whether another process had the database at that moment. */
export function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_BUSY')
}

/** The pause before the next try, in milliseconds, after `tries` of them; others of this process go on meanwhile. */
export function busyPauseMs(tries: number): number {
  return Math.min(LONGEST_PAUSE_MS, 2 ** tries)
}

/** Resolves with what `run` returns, tried again for up to 5 s while another process is in the way. */
export async function retryWhileBusy<Result>(clock: Clock, run: () => Result): Promise<Result> {
  const endMs = clock.monotonic() + BUSY_PATIENCE_MS
  for (let tries = 0; ; tries++) {
    try {
      return run()
    } catch (error) {
      if (!isBusy(error) || clock.monotonic() >= endMs) throw error
    }
    await sleep(clock, busyPauseMs(tries))
  }
}
