import { type FailureCode, GatewayError } from '../../gateway/core/errors.ts'
import type { Stop } from '../../gateway/core/stop.ts'

/** Why a part has no reply, as clients read it in `Composition-Status`; other failures are named by their code. */
export type FailureReason =
  | 'timeout'
  | 'unreachable'
  | 'status'
  | 'invalid-response'
  | 'too-large'
  | 'input'
  | 'too-many'
  | 'late'
  | 'shape'
  | 'conflict'
  | 'cancelled'
  | FailureCode

export interface PartFailureOptions {
  /** Which problem answers the client when the part was required. Default `upstream-invalid-response`. */
  readonly code?: FailureCode
  /** The status that was no success. */
  readonly status?: number
  /** What the client may read about it. */
  readonly detail?: string | undefined
  readonly retryAfter?: string | undefined
  /** Why, in the operator's words; for the log only. */
  readonly cause?: string | undefined
}

/** One part failed; the others go on unless it was required. */
export class PartFailure extends Error {
  override readonly name = 'PartFailure'
  readonly reason: FailureReason
  readonly code: FailureCode
  readonly status: number | undefined
  readonly detail: string | undefined
  readonly retryAfter: string | undefined
  override readonly cause: string | undefined

  constructor(reason: FailureReason, options: PartFailureOptions = {}) {
    super(reason)
    this.reason = reason
    this.code = options.code ?? 'upstream-invalid-response'
    this.status = options.status
    this.detail = options.detail
    this.retryAfter = options.retryAfter
    this.cause = options.cause
  }
}

const REASONS: Readonly<Partial<Record<FailureCode, FailureReason>>> = {
  'upstream-timeout': 'timeout',
  'upstream-unreachable': 'unreachable',
  'upstream-invalid-response': 'invalid-response',
}

/** A part could not be asked because a part it reads has no reply; what broke that one decides the answer. */
export function inputFailure(part: string, { code, retryAfter }: PartFailure): PartFailure {
  return new PartFailure('input', { code, retryAfter, cause: `"${part}" has no reply` })
}

/**
 * What an error means for the part whose call ended with it; when `stop` has been given up, the error may be its reason.
 * Errors that are nobody's failure but a mistake of ours are thrown on.
 */
export function toPartFailure(error: unknown, stop: Stop): PartFailure {
  if (error instanceof PartFailure) return error
  if (error instanceof GatewayError) {
    const { code, detail, headers } = error
    return new PartFailure(REASONS[code] ?? code, { code, detail, retryAfter: headers['retry-after'] })
  }
  if (stop.reason !== undefined) return new PartFailure('cancelled')
  throw error
}
