/** Told once, when what it waits for is given up. */
export interface StopListener {
  stopped(reason: unknown): void
}

/** Something that may be given up; to listen to it costs a fraction of what it costs with an `AbortSignal`. */
export interface StopSource {
  /** Why it was given up; undefined as long as it is not. */
  readonly reason: unknown
  /** The same for those who know signals only. */
  readonly signal: AbortSignal
  listen(listener: StopListener): void
  unlisten(listener: StopListener): void
}
