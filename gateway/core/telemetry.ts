/** Structured log: the message is a constant one can grep for, the facts vary. */
export interface Logger {
  info(message: string, facts?: Readonly<Record<string, unknown>>): void
  warn(message: string, facts?: Readonly<Record<string, unknown>>): void
  error(message: string, facts?: Readonly<Record<string, unknown>>): void
}

export type Labels = Readonly<Record<string, string>>

/** Counters, gauges and histograms by name. Names and label sets are declared in `gateway/core/metrics.ts`. */
export interface Metrics {
  /** Adds `by` (default 1) to a counter. */
  count(name: string, labels?: Labels, by?: number): void
  /** Sets a gauge. */
  gauge(name: string, value: number, labels?: Labels): void
  /** Records one duration in seconds. */
  observe(name: string, seconds: number, labels?: Labels): void
}
