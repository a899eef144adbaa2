import { z } from 'zod'
import { duration, show } from '../../gateway/config/fields.ts'
import { GatewayError } from '../../gateway/core/errors.ts'
import type { Call } from '../../gateway/core/exchange.ts'
import { definePolicy } from '../../gateway/core/policy.ts'
import { isWhole } from '../../gateway/core/read-reply.ts'
import { Stop } from '../../gateway/core/stop.ts'

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
      const own = new Stop()
      return new Promise((resolve, reject) => {
        let over = false
        // A transport that ignores it must not hold the caller up, nor leak the answer it brings too late.
        const giveUp = (reason: unknown) => {
          over = true
          cancel()
          own.abort(reason)
          reject(reason)
        }
        const outer = { stopped: giveUp }
        const cancel = clock.after(after, () => {
          call.stop.unlisten(outer)
          giveUp(timeIsUp(call, after))
        })
        if (call.stop.reason !== undefined) return giveUp(call.stop.reason)
        call.stop.listen(outer)

        next({ stop: own }).then(
          (response) => {
            cancel()
            if (over) {
              response.body?.cancel().catch(() => {})
              return
            }
            // Whatever ends the call still ends a body that is to come.
            if (isWhole(response)) call.stop.unlisten(outer)
            resolve(response)
          },
          (error) => {
            cancel()
            call.stop.unlisten(outer)
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
