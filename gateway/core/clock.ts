/** Time as the gateway knows it. Injected everywhere, so that tests run on a virtual clock and never sleep. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number
  /** Milliseconds since some moment, the same for the life of the process; unlike `now` it never jumps or goes back. */
  monotonic(): number
  /** Calls `task` once after `delayMs` milliseconds; the returned function takes the appointment back. */
  after(delayMs: number, task: () => void): () => void
}

/** Resolves after `delayMs`, or rejects with the signal's reason as soon as `signal` aborts. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    const onAbort = () => {
      cancel()
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
