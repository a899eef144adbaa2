import type { Clock } from '../../core/clock.ts'
import { StoreUnavailable } from '../../core/store.ts'

/** A timer that comes this late tells of a busy process: the answer may be there, unread. */
const LATE_MS = 10

/**
 * Asks a remote store and waits no longer than `timeoutMs`, or twice that when this process was too busy to look in
 * time. Whatever goes wrong, late or refused, is `StoreUnavailable` with the reason as its cause; an answer that comes
 * after the time is ignored.
 */
export function answerWithin<Answer>(clock: Clock, timeoutMs: number, ask: () => Promise<Answer>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(new StoreUnavailable(`The store did not answer within ${timeoutMs} ms`))
    const dueAt = clock.now() + timeoutMs
    let cancel = clock.after(timeoutMs, () => {
      if (clock.now() - dueAt < LATE_MS) giveUp()
      else cancel = clock.after(timeoutMs, giveUp)
    })
    const fail = (cause: unknown) => {
      cancel()
      reject(new StoreUnavailable('The store refused or failed', { cause }))
    }
    const succeed = (answer: Answer) => {
      cancel()
      resolve(answer)
    }
    try {
      ask().then(succeed, fail)
    } catch (error) {
      fail(error)
    }
  })
}
