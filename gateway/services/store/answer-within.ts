import type { Clock } from '../../core/clock.ts'
import { StoreUnavailable } from '../../core/store.ts'

/**
 * Asks a remote store and waits no longer than `timeoutMs`. Whatever goes wrong, late or refused, is `StoreUnavailable`
 * with the reason as its cause; an answer that comes after the time is ignored.
 */
export function answerWithin<Answer>(clock: Clock, timeoutMs: number, ask: () => Promise<Answer>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(timeoutMs, () => {
      reject(new StoreUnavailable(`The store did not answer within ${timeoutMs} ms`))
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
