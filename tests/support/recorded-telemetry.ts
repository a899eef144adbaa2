import type { Logger, Metrics } from '../../gateway/core/telemetry.ts'

/** A logger and metrics that remember. */
export interface RecordedTelemetry {
  readonly log: Logger
  readonly metrics: Metrics
  /** Every log line so far. */
  readonly lines: readonly { level: string; message: string; facts: Readonly<Record<string, unknown>> }[]
  /** The sum of a counter, or the last value of a gauge, whatever the labels; 0 if never set. */
  valueOf(name: string): number
}

/** Records what is logged and counted, for tests. */
export function recordTelemetry(): RecordedTelemetry {
  const lines: { level: string; message: string; facts: Readonly<Record<string, unknown>> }[] = []
  const values = new Map<string, number>()
  const record =
    (level: string) =>
    (message: string, facts: Readonly<Record<string, unknown>> = {}) => {
      lines.push({ level, message, facts })
    }
  return {
    lines,
    log: { info: record('info'), warn: record('warn'), error: record('error') },
    metrics: {
      count: (name, _labels, by = 1) => void values.set(name, (values.get(name) ?? 0) + by),
      gauge: (name, value) => void values.set(name, value),
      observe: () => {},
    },
    valueOf: (name) => values.get(name) ?? 0,
  }
}
