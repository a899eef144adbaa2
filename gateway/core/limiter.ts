/** How requests are counted. Durations in milliseconds. */
export type LimitRule =
  | { readonly algorithm: 'fixed-window' | 'sliding-window'; readonly limit: number; readonly windowMs: number }
  | { readonly algorithm: 'token-bucket'; readonly limit: number; readonly refill: number; readonly intervalMs: number }

/** The answer for one request. */
export interface LimitVerdict {
  readonly allowed: boolean
  /** Requests left now; never negative. */
  readonly remaining: number
  /** Milliseconds until the budget grows again. */
  readonly resetMs: number
}

/** Counts one request against `key` and says whether it may pass. Throws `StoreUnavailable`; never hangs. */
export interface Limiter {
  take(key: string): Promise<LimitVerdict>
}

export interface Limiters {
  /** One limiter for a rule; at load. `prefix` keeps the keys of different mounts apart. */
  create(prefix: string, rule: LimitRule): Limiter
  /** A limiter in this process's memory, for `on-store-failure: local`. */
  createLocal(prefix: string, rule: LimitRule): Limiter
}
