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
  /** What was counted that `gateway/core/metrics.ts` does not declare; a gateway goes on without a word to its clients. */
  readonly undeclared: readonly Error[]
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
  const undeclared: Error[] = []
  const record =
    (level: string) =>
    (message: string, facts: Readonly<Record<string, unknown>> = {}) => {
      lines.push({ level, message, facts })
    }
  return {
    lines,
    undeclared,
    log: { info: record('info'), warn: record('warn'), error: record('error') },
    metrics: {
      count(name, labels, by = 1) {
        assertDeclared({ name, kind: 'counter', labels }, undeclared)
        counted.push({ name, labels, value: by })
      },
      gauge(name, value, labels) {
        assertDeclared({ name, kind: 'gauge', labels }, undeclared)
        // Of a gauge only the last value counts.
        counted.push({ name, labels, value: value - sumOf(name, labels) })
      },
      observe: (name, _seconds, labels) => assertDeclared({ name, kind: 'histogram', labels }, undeclared),
    },
    valueOf: sumOf,
  }

  function sumOf(name: string, labels: Labels = {}): number {
    const isWanted = (sample: Sample) =>
      sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels?.[label] === value)
    return counted.filter(isWanted).reduce((sum, { value }) => sum + value, 0)
  }
}

interface Used {
  readonly name: string
  readonly kind: string
  readonly labels: Labels | undefined
}

/** As strict as the real metrics: what is not in the table fails the test that used it. */
function assertDeclared(used: Used, undeclared: Error[]): void {
  const fault = faultOf(used)
  if (fault === undefined) return
  const error = new TypeError(fault)
  undeclared.push(error)
  throw error
}

function faultOf({ name, kind, labels = {} }: Used): string | undefined {
  const declared = METRICS[name]
  if (declared?.kind !== kind) return `${name} is not declared as a ${kind} in gateway/core/metrics.ts`
  const unknown = Object.keys(labels).filter((label) => !declared.labels.includes(label))
  return unknown.length > 0 ? `${name} has no label ${unknown.join(', ')}` : undefined
}
