import { GatewayError } from '../core/errors.ts'
import type { SagaHolder, SagaInUseError } from './saga-storage.ts'

/** What a client is told that sends a key again: how its first request stands, and when it may try again, where that is known. */
export function keyInUse(cause: SagaInUseError, nowMs: number): GatewayError {
  const { holder } = cause
  const detail = holder ? DETAILS[holder.state] : 'Another request with it came in between'
  const afterS =
    holder?.state === 'parked' ? undefined : Math.max(1, Math.ceil(((holder?.nextAtMs ?? 0) - nowMs) / 1_000))
  const headers = afterS === undefined ? {} : { 'retry-after': `${afterS}` }
  return new GatewayError('idempotency-key-in-use', { detail, headers, cause })
}

const DETAILS: Readonly<Record<SagaHolder['state'], string>> = {
  open: 'The first request with it is still running',
  undoing: 'Writes of the first request with it are still being undone',
  parked: 'Writes of the first request with it could not be undone: they wait for an operator',
}
