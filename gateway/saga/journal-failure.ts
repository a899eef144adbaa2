import { GatewayError } from '../core/errors.ts'
import { keyInUse } from './key-in-use.ts'
import { JournalClosedError, SagaFullError, SagaGoneError, SagaInUseError } from './saga-storage.ts'

/** Whether what could not be written may be written later. */
export function isWorthAnotherTry(error: unknown): boolean {
  return !(error instanceof SagaGoneError || error instanceof JournalClosedError)
}

/** Whether it is the journal that refuses, and not another request that is in the way. */
export function isRefusal(error: unknown): boolean {
  return isWorthAnotherTry(error) && !(error instanceof SagaInUseError)
}

/** Why the journal refuses, as it is counted. */
export function reasonOf(error: unknown): 'full' | 'storage' {
  return error instanceof SagaFullError ? 'full' : 'storage'
}

/** What a client is told of a failure of the journal. */
export function toGatewayError(cause: unknown, detail: string, nowMs: number): GatewayError {
  if (cause instanceof SagaInUseError) return keyInUse(cause, nowMs)
  return new GatewayError('overloaded', { detail, headers: { 'retry-after': '5' }, cause })
}
