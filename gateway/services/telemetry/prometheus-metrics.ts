import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { METRICS } from '../../core/metrics.ts'
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
  const counters = new Map<string, Counter>()
  const gauges = new Map<string, Gauge>()
  const histograms = new Map<string, Histogram>()
  for (const [name, { kind, help, labels }] of Object.entries(METRICS)) {
    const common = { name, help, labelNames: [...labels], registers: [registry] }
    if (kind === 'counter') counters.set(name, new Counter(common))
    else if (kind === 'gauge') gauges.set(name, new Gauge(common))
    else histograms.set(name, new Histogram({ ...common, buckets: BUCKETS_SECONDS }))
  }
  return {
    contentType: registry.contentType,
    render: () => registry.metrics(),
    count: (name, labels: Labels = {}, by = 1) => declared(counters, name).inc(labels, by),
    gauge: (name, value, labels: Labels = {}) => declared(gauges, name).set(labels, value),
    observe: (name, seconds, labels: Labels = {}) => declared(histograms, name).observe(labels, seconds),
  }
}

function declared<Metric>(metrics: ReadonlyMap<string, Metric>, name: string): Metric {
  const metric = metrics.get(name)
  if (!metric) throw new TypeError(`Metric ${name} is not declared in gateway/core/metrics.ts`)
  return metric
}
