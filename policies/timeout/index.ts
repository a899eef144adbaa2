import { z } from 'zod'
import { duration, show } from '../../gateway/config/fields.ts'
import { GatewayError } from '../../gateway/core/errors.ts'
import type { Call } from '../../gateway/core/exchange.ts'
import { definePolicy } from '../../gateway/core/policy.ts'

const options = z.union(
  [
    duration.transform((after) => ({ after })).describe('The time itself, short for { after: … }'),
    z.strictObject({
      after: duration.describe('How long one attempt may take until the head of the response is there'),
    }),
  ],
  {
    error: ({ input }) => `expected a duration such as "800ms", or { after: 800ms }, found ${show(input)}`,
  },
)

/** Bounds the time one call to the upstream may take until the head of its response; the body is not bounded. */
export default definePolicy({
  name: 'timeout',
  at: 'upstream',
  options,

  create({ after }, { clock }) {
    return function timeout(call, next) {
      const { signal } = call
      const own = new AbortController()
      return new Promise((resolve, reject) => {
        let over = false
        const end = () => {
          over = true
          cancel()
          signal.removeEventListener('abort', leave)
        }
        const leave = () => {
          end()
          reject(signal.reason)
        }
        const cancel = clock.after(after, () => {
          end()
          const failure = timeIsUp(call, after)
          own.abort(failure)
          reject(failure)
        })
        if (signal.aborted) return leave()
        signal.addEventListener('abort', leave, { once: true })

        // A transport that ignores the signal must not hold the caller up, nor leak the answer it brings too late.
        next({ signal: AbortSignal.any([signal, own.signal]) }).then(
          (response) => {
            if (over) {
              response.body?.cancel().catch(() => {})
            } else {
              end()
              resolve(response)
            }
          },
          (error) => {
            if (!over) end()
            reject(error)
          },
        )
      })
    }
  },
})

/** The upstream is not to blame while it waits for a client that does not send. */
function timeIsUp({ exchange }: Call, afterMs: number): GatewayError {
  return exchange.body.isReading
    ? new GatewayError('request-timeout', { detail: `The body did not arrive within ${afterMs} ms` })
    : new GatewayError('upstream-timeout', { detail: `No response within ${afterMs} ms` })
}
