import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { METRICS, type MetricDeclaration } from '../../core/metrics.ts'
import type { Labels, Metrics } from '../../core/telemetry.ts'

/** Metrics that can be scraped. */
export interface PrometheusMetrics extends Metrics {
  readonly contentType: string
  /** The Prometheus text format. */
  render(): Promise<string>
}

const BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** Declares every metric of the table up front, so that a scrape shows zeros instead of gaps. */
export function createPrometheusMetrics(): PrometheusMetrics {
  const registry = new Registry()
  const common = (name: string, { help, labels }: MetricDeclaration) => ({
    name,
    help,
    labelNames: [...labels],
    registers: [registry],
  })
  const counters = series('counter', (name, declaration) => new Counter(common(name, declaration)))
  const gauges = series('gauge', (name, declaration) => new Gauge(common(name, declaration)))
  const histograms = series(
    'histogram',
    (name, declaration) => new Histogram({ ...common(name, declaration), buckets: BUCKETS_SECONDS }),
  )
  return {
    contentType: registry.contentType,
    render: () => registry.metrics(),
    count: (name, labels = NONE, by = 1) => counters(name, labels).inc(by),
    gauge: (name, value, labels = NONE) => gauges(name, labels).set(value),
    observe: (name, seconds, labels = NONE) => histograms(name, labels).observe(seconds),
  }
}

const NONE: Labels = {}

/**
 * Makes the metrics of one kind, and finds the series of a set of labels: the library would hash and check the labels
 * at each count, which is more work than the counting.
 */
function series<Series>(
  kind: MetricDeclaration['kind'],
  make: (name: string, declaration: MetricDeclaration) => { labels(labels: Labels): Series },
) {
  const metrics = new Map(
    Object.entries(METRICS)
      .filter(([, declaration]) => declaration.kind === kind)
      .map(([name, declaration]) => [
        name,
        { metric: make(name, declaration), names: declaration.labels, known: new Known<Series>() },
      ]),
  )
  return (name: string, labels: Labels): Series => {
    const found = metrics.get(name)
    if (!found) throw new TypeError(`Metric ${name} is not declared in gateway/core/metrics.ts`)
    let at = found.known
    for (const label of found.names) at = at.under(labels[label] ?? '')
    at.series ??= found.metric.labels(labels)
    return at.series
  }
}

/** The series of a metric by the values of its labels, one level for each: a key put together would be garbage at once. */
class Known<Series> {
  series: Series | undefined
  readonly #next = new Map<string, Known<Series>>()

  under(value: string): Known<Series> {
    let next = this.#next.get(value)
    if (!next) {
      next = new Known()
      this.#next.set(value, next)
    }
    return next
  }
}
