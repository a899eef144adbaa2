import type { Metrics } from '../../core/telemetry.ts'

/** Counts nothing: an isolate has no listener to be scraped at, and what it counted would go with it. */
export const silentMetrics: Metrics = { count() {}, gauge() {}, observe() {} }
