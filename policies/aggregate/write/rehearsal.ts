import { GatewayError } from '../../../gateway/core/errors.ts'
import { type RecordedValues, recordedScope } from '../../../gateway/core/recorded-scope.ts'
import { type RequestTemplate, referencesOfRequest, renderRequest } from '../../../gateway/core/request-template.ts'
import { PartFailure } from '../failure.ts'
import { MAX_PATH_LENGTH } from '../plan/request.ts'

/** Stands for whatever the write's own reply brings. */
const STAND_IN = '1'

/**
 * Words a compensation before its write is made, with all that is known of it by then: a client that leaves out what it
 * needs would else have a write that nobody can undo. The function throws `PartFailure`.
 */
export function createRehearsal(
  written: RequestTemplate,
  ofReply: readonly string[],
): (values: RecordedValues) => void {
  // What is read of within is there with what holds it.
  const innermost = ofReply.filter((source) => !ofReply.some((other) => other.startsWith(`${source}.`)))
  const standIns = Object.fromEntries(innermost.map((source) => [source, STAND_IN]))
  const readsOthers = referencesOfRequest(written).some(
    ({ root, source }) => root === 'parts' && !ofReply.includes(source),
  )

  return (values) => {
    try {
      const { path, headers } = renderRequest(written, recordedScope({ ...values, ...standIns }))
      const length = headers.reduce((sum, [, value]) => sum + value.length, path.length)
      if (length > MAX_PATH_LENGTH) {
        throw new GatewayError('invalid-request', {
          detail: `Path and fields would have more than ${MAX_PATH_LENGTH} characters`,
        })
      }
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      const cause = `it could not be undone: ${error.detail ?? error.code}`
      throw new PartFailure('input', readsOthers ? { cause } : { code: 'invalid-request', detail: cause, cause })
    }
  }
}
