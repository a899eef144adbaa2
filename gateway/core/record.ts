/** What became of one call to an upstream; a line in the log record of its exchange. */
export interface CallRecord {
  readonly upstream: string
  part?: string
  /**
   * Of a call that was made because the answer had failed: it undoes the write of its part, or makes it again to learn
   * what came of it.
   */
  readonly purpose?: 'compensation' | 'repeat'
  version?: string
  /** Origin of the last target tried. For the log only, never for the client. */
  target?: string
  attempts: number
  /** Attempts of which surely nothing was sent, e.g. because the connection was refused. */
  unsent?: number
  /** Of the reply to the last attempt; missing when none came. */
  status?: number
  /** The failure's code, or `client-gone`. */
  failure?: string
  /** Why, in the operator's words. */
  cause?: string
  breaker?: 'closed' | 'half-open' | 'open'
  durationMs?: number
}

/** A part of a composed answer that is not the upstream's own reply, whole. */
export interface PartRecord {
  readonly part: string
  /** `failed` when it is left out, else what stands in its place: `fallback`, `stale`, or `partial` of a list. */
  readonly outcome: string
  /** In one word, e.g. `timeout`; `cancelled` when it was given up because it no longer mattered. */
  readonly error: string
  /** The status that was no success. */
  readonly status?: number
  /** Why, in the operator's words. */
  readonly cause?: string
}

/** What became of a composed answer, or of one that was given up; stands among the policies of an exchange as `aggregate`. */
export interface CompositionRecord {
  readonly complete: boolean
  /** In the order of the file. */
  readonly failed: readonly PartRecord[]
  /** The part whose failure was answered in place of a document. */
  readonly decidedBy?: string
  /** Of one that writes: its id among the compensations, and what is known of each write. */
  readonly saga?: string
  readonly writes?: readonly { readonly part: string; readonly outcome: string }[] | undefined
}

/** The decisions taken for one exchange, written as one JSON log line when it has been answered. */
export interface ExchangeRecord {
  readonly calls: CallRecord[]
  /** Free facts by policy name, e.g. `{ 'rate-limit': { remaining: 3 } }`. Never holds secrets. */
  readonly policies: Record<string, unknown>
  /** The failure the gateway answered with, if any. */
  failure?: string
  cause?: string
  /** What a client should know beside the fact that it was not answered in time; for the client, not for the log. */
  lateNote?: string
}

/** A fresh record of one call. */
export function createCallRecord(upstream: string, part?: string): CallRecord {
  return part === undefined ? { upstream, attempts: 0 } : { upstream, part, attempts: 0 }
}
