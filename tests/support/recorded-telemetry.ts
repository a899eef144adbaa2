import { METRICS } from '../../gateway/core/metrics.ts'
import type { Labels, Logger, Metrics } from '../../gateway/core/telemetry.ts'

/** A logger and metrics that remember. */
export interface RecordedTelemetry {
  readonly log: Logger
  readonly metrics: Metrics
  /** Every log line so far. */
  readonly lines: readonly { level: string; message: string; facts: Readonly<Record<string, unknown>> }[]
  /** The sum of a counter, or the last value of a gauge, among those that have these labels; 0 if never set. */
  valueOf(name: string, labels?: Labels): number
}

interface Sample {
  readonly name: string
  readonly labels: Labels | undefined
  readonly value: number
}

/** Records what is logged and counted, for tests. */
export function recordTelemetry(): RecordedTelemetry {
  const lines: { level: string; message: string; facts: Readonly<Record<string, unknown>> }[] = []
  const counted: Sample[] = []
  const record =
    (level: string) =>
    (message: string, facts: Readonly<Record<string, unknown>> = {}) => {
      lines.push({ level, message, facts })
    }
  return {
    lines,
    log: { info: record('info'), warn: record('warn'), error: record('error') },
    metrics: {
      count(name, labels, by = 1) {
        assertDeclared(name, 'counter', labels)
        counted.push({ name, labels, value: by })
      },
      gauge(name, value, labels) {
        assertDeclared(name, 'gauge', labels)
        // Of a gauge only the last value counts.
        counted.push({ name, labels, value: value - sumOf(name, labels) })
      },
      observe: (name, _seconds, labels) => assertDeclared(name, 'histogram', labels),
    },
    valueOf: sumOf,
  }

  function sumOf(name: string, labels: Labels = {}): number {
    const isWanted = (sample: Sample) =>
      sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels?.[label] === value)
    return counted.filter(isWanted).reduce((sum, { value }) => sum + value, 0)
  }
}

/** As strict as the real metrics: what is not in the table fails the test that used it. */
function assertDeclared(name: string, kind: string, labels: Labels = {}): void {
  const declared = METRICS[name]
  if (declared?.kind !== kind) throw new TypeError(`${name} is not declared as a ${kind} in gateway/core/metrics.ts`)
  const unknown = Object.keys(labels).filter((label) => !declared.labels.includes(label))
  if (unknown.length > 0) throw new TypeError(`${name} has no label ${unknown.join(', ')}`)
}
