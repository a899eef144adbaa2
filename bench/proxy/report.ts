import type { Load } from '../measure/load.ts'
import { median, table } from '../measure/table.ts'

/** One contender in one round. */
export interface Measurement {
  readonly load: Load
  /** Processor time the contender's process used meanwhile. */
  readonly cpuMs: number
}

export interface Row {
  readonly name: string
  /** One a round, in order. */
  readonly rounds: readonly Measurement[]
}

const HEAD = ['', 'requests/s', 'p50 ms', 'p99 ms', 'CPU µs/request', 'lowest–highest', 'core busy', 'errors']

/** Two Markdown tables: medians of every row, then the CPU and the throughput of each as ratios to the first two rows. */
export function report(rows: readonly Row[]): string {
  const [nginx, passthrough, ...gateway] = rows
  if (!nginx || !passthrough) throw new TypeError('A report needs the two rows everything is compared with')
  const ratios = gateway.map((row) => [row.name, ...[nginx, passthrough].flatMap((other) => comparison(row, other))])
  const heads = ['', 'CPU ÷ nginx', 'requests/s ÷ nginx', 'CPU ÷ passthrough', 'requests/s ÷ passthrough']
  return `${table(HEAD, rows.map(summary))}\n\n${table(heads, ratios)}\n`
}

/** A row with a single error, or that answered nothing, measures something else and is not to be read. */
export function isValid({ rounds }: Row): boolean {
  return rounds.every(({ load }) => load.requests > 0 && Object.keys(load.errors).length === 0)
}

function summary(row: Row): string[] {
  const { name, rounds } = row
  const of = (read: (one: Measurement) => number) => median(rounds.map(read))
  const costs = rounds.map(cpuUs)
  return [
    name,
    of(perSecond).toFixed(0),
    of(({ load }) => load.p50Us / 1_000).toFixed(2),
    of(({ load }) => load.p99Us / 1_000).toFixed(2),
    of(cpuUs).toFixed(1),
    `${Math.min(...costs).toFixed(1)}–${Math.max(...costs).toFixed(1)}`,
    `${of(({ cpuMs, load }) => (cpuMs * 100_000) / load.durationUs).toFixed(0)} %`,
    isValid(row) ? '0' : `INVALID: ${JSON.stringify(rounds.map(({ load }) => load.errors))}`,
  ]
}

/** Compared round by round, since what disturbs the machine disturbs neighbours alike; then the median. */
function comparison(row: Row, other: Row): string[] {
  if (!isValid(row) || !isValid(other)) return ['invalid', 'invalid']
  const ratio = (read: (one: Measurement) => number) =>
    median(row.rounds.map((one, i) => read(one) / read(other.rounds[i] ?? one))).toFixed(2)
  return [ratio(cpuUs), ratio(perSecond)]
}

function cpuUs({ cpuMs, load }: Measurement): number {
  return (cpuMs * 1_000) / load.requests
}

function perSecond({ load }: Measurement): number {
  return (load.requests * 1_000_000) / load.durationUs
}
