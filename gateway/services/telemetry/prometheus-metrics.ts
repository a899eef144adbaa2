import type { Metric } from 'prom-client'
// The whole package starts with the modules of clusters and push gateways, which take longer than all of the rest.
import Registry from 'prom-client/lib/registry.js'
import { METRICS, type MetricDeclaration } from '../../core/metrics.ts'
import type { Labels, Metrics } from '../../core/telemetry.ts'
import { Distribution, type Sample, type Series, Sum } from './metric-series.ts'

/** Metrics that can be scraped. */
export interface PrometheusMetrics extends Metrics {
  readonly contentType: string
  /** The Prometheus text format: https://prometheus.io/docs/instrumenting/exposition_formats/ */
  render(): Promise<string>
}

/**
 * Declares every metric of the table up front; one without labels shows a zero instead of a gap. The numbers are kept here,
 * because the library makes a key of all labels at each count; it writes them when they are scraped.
 */
export function createPrometheusMetrics(): PrometheusMetrics {
  const registry = new Registry()
  const counters = familiesOf('counter', () => new Sum())
  const gauges = familiesOf('gauge', () => new Sum())
  const histograms = familiesOf('histogram', () => new Distribution())
  for (const family of [...counters.values(), ...gauges.values(), ...histograms.values()]) {
    // Of a metric the registry asks for its name, and for what it has come to.
    registry.registerMetric(family as unknown as Metric)
  }
  return {
    contentType: registry.contentType,
    render: () => registry.metrics(),
    count(name, labels = NONE, by = 1) {
      familyOf(counters, name).series(labels).value += by
    },
    gauge(name, value, labels = NONE) {
      familyOf(gauges, name).series(labels).value = value
    },
    observe(name, seconds, labels = NONE) {
      familyOf(histograms, name).series(labels).observe(seconds)
    },
  }
}

const NONE: Labels = {}

type Families<One extends Series> = ReadonlyMap<string, Family<One>>

function familiesOf<One extends Series>(kind: MetricDeclaration['kind'], make: () => One): Families<One> {
  const declared = Object.entries(METRICS).filter(([, declaration]) => declaration.kind === kind)
  return new Map(declared.map(([name, declaration]) => [name, new Family(name, declaration, make)]))
}

function familyOf<One extends Series>(families: Families<One>, name: string): Family<One> {
  const family = families.get(name)
  if (!family) throw new TypeError(`Metric ${name} is not declared in gateway/core/metrics.ts`)
  return family
}

/** A metric with all its series. */
class Family<One extends Series> {
  readonly name: string
  readonly #declaration: MetricDeclaration
  readonly #make: () => One
  /** By the values of the labels, one level for each: a key put together at each count would be garbage at once. */
  readonly #root: Branch<One> = { series: undefined, next: new Map() }
  readonly #all: { readonly labels: Sample['labels']; readonly series: One }[] = []

  constructor(name: string, declaration: MetricDeclaration, make: () => One) {
    this.name = name
    this.#declaration = declaration
    this.#make = make
    if (declaration.labels.length === 0) this.series(NONE)
  }

  series(labels: Labels): One {
    let at = this.#root
    for (const label of this.#declaration.labels) at = under(at, labels[label] ?? '')
    at.series ??= this.#begin(labels)
    return at.series
  }

  /** For the registry. */
  async get() {
    const { help, kind: type } = this.#declaration
    const values = this.#all.flatMap(({ labels, series }) => series.samples(this.name, labels))
    return { name: this.name, help, type, values }
  }

  #begin(labels: Labels): One {
    const known = this.#declaration.labels
    const stray = Object.keys(labels).find((label) => !known.includes(label))
    if (stray !== undefined) throw new TypeError(`Metric ${this.name} is declared without a label ${stray}`)
    const series = this.#make()
    this.#all.push({ labels: Object.fromEntries(known.map((label) => [label, labels[label] ?? ''])), series })
    return series
  }
}

interface Branch<One> {
  series: One | undefined
  readonly next: Map<string, Branch<One>>
}

function under<One>(branch: Branch<One>, value: string): Branch<One> {
  let next = branch.next.get(value)
  if (!next) {
    next = { series: undefined, next: new Map() }
    branch.next.set(value, next)
  }
  return next
}
