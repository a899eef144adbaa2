import type { StoredRequest } from './events.ts'
import type { CallRecord } from './record.ts'

/** A request of the gateway's own, which no client waits for, e.g. to learn what became of an order. */
export interface OwnRequest extends StoredRequest {
  /** The route it is made for. */
  readonly route: string
  /** W3C Trace Context to continue; a new trace when left out. */
  readonly traceparent?: string | undefined
  /** When it is given up, in milliseconds since the Unix epoch; whoever asks sees to it that `signal` aborts then. */
  readonly deadlineMs: number
  readonly signal: AbortSignal
  /** Where it is noted what comes of the call, for whoever wants to tell. */
  readonly record?: CallRecord
}

/**
 * Asks an upstream through its pipeline: its policies, limits and balancing apply. Resolves with whatever it answers;
 * rejects with a `GatewayError` when it does not, and with `UnknownUpstream` when there is none of this name.
 */
export type AskUpstream = (upstream: string, request: OwnRequest) => Promise<Response>

/** The configuration has no upstream of this name any more. */
export class UnknownUpstream extends Error {
  override readonly name = 'UnknownUpstream'

  constructor(upstream: string) {
    super(`there is no upstream "${upstream}" in the configuration any more`)
  }
}
