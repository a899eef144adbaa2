export type BreakerState = 'closed' | 'open' | 'half-open'

export interface BreakerOptions {
  /** Share of failed calls, 0..1, at or above which the circuit opens. */
  readonly failureRate: number
  /** Calls within the window below which the rate means nothing. */
  readonly minimumCalls: number
  readonly windowMs: number
  /** How long the circuit stays open the first time; doubles with every failed probe up to `maximumOpenMs`. */
  readonly openForMs: number
  readonly maximumOpenMs: number
  /** Calls let through at once while half-open. */
  readonly probes: number
  /** Probes that must succeed to close the circuit. */
  readonly successes: number
  /** How long a probe may stay unsettled before its place is given to another. */
  readonly probeLeaseMs: number
}

/** What a finished call says about the upstream's health. `neutral` (a client that left, say) says nothing. */
export type Outcome = 'success' | 'failure' | 'neutral'

/** Leave to make one call; exactly one `settle` must follow. */
export interface Permit {
  readonly state: 'closed' | 'half-open'
  settle(outcome: Outcome): void
}

/** The circuit of one upstream, or of one version of it. */
export interface Breaker {
  readonly state: BreakerState
  /** A permit, or undefined when the call must not be made. */
  admit(): Permit | undefined
  /** Milliseconds until a call may be admitted again; 0 when one may now. */
  readonly retryAfterMs: number
}

export interface Breakers {
  /** The breaker of this name, made on first use; the same name always gets the same one. */
  get(name: string, options: BreakerOptions): Breaker
}
