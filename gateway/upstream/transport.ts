import type { CallBody } from '../core/body.ts'
import type { OpenSocket } from '../core/exchange.ts'
import type { Receiver } from '../core/receiver.ts'
import type { StopSource } from '../core/stop.ts'

/** One HTTP request as it goes onto the wire. */
export interface OutgoingRequest {
  /** `origin` and `target` together. */
  readonly url: string
  readonly origin: string
  /** Path and query, encoded. */
  readonly target: string
  readonly method: string
  readonly headers: Headers
  /** The same fields as `name: value` lines, each with its CRLF, where nobody has asked for them as `headers` yet. */
  readonly fieldLines?: string | undefined
  readonly body: CallBody
  readonly signal: AbortSignal
  /** The same, to listen to for less. */
  readonly stop: StopSource
}

/**
 * The network, as a runtime brings it. `send` follows no redirect, decodes no body and retries nothing; the receiver is
 * told of a failure when there is no connection or no readable reply, with the reason of `stop` when that was given up.
 */
export interface Transport {
  send(request: OutgoingRequest, receiver: Receiver): void
  /** Opens a WebSocket and resolves once it is open; undefined where the runtime passes none on. */
  readonly openWebSocket?: (
    url: string,
    headers: Headers,
    protocols: readonly string[],
    signal: AbortSignal,
  ) => Promise<OpenSocket>
  /** What a failure of `send` with this method means, in the operator's words. */
  explain(
    error: unknown,
    method: string,
  ): {
    readonly kind: 'unreachable' | 'invalid-response' | 'websocket-refused'
    readonly cause: string
    /** True when surely no byte of the request has left: the upstream cannot have acted on it. */
    readonly isUnsent?: boolean
  }
}
