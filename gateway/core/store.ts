/**
 * Small shared values with an expiry: idempotency records, leases. Every operation is atomic. Implementations pass one
 * conformance suite. A store that cannot be reached throws `StoreUnavailable`; it never hangs longer than its timeout.
 */
export interface Store {
  get(key: string): Promise<string | undefined>
  set(key: string, value: string, ttlMs: number): Promise<void>
  /** Writes only when the key is free; returns what stood there otherwise. */
  putIfAbsent(key: string, value: string, term: Term): Promise<string | undefined>
  /** Writes only when `expected` still stands there; false otherwise. The fencing of leases rests on this. */
  replace(key: string, expected: string, value: string, ttlMs: number): Promise<boolean>
  /** Removes only when `expected` still stands there; false otherwise. */
  remove(key: string, expected: string): Promise<boolean>
}

/** How long a value stays, and on whose account. */
export interface Term {
  readonly ttlMs: number
  /**
   * Who pays for the room, as long as something stands under the key. A store that is bounded by itself (memory, SQLite)
   * lets nobody hold more than it has left free, so that one caller cannot use up the room of all others. Without it,
   * only the bounds of the whole store count.
   */
  readonly account?: string | undefined
}

/** The store did not answer, or refused the connection. Policies decide by configuration what that means. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable'
}
