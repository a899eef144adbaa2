import { describe, expect, test } from 'bun:test'
import { createPrometheusMetrics, type PrometheusMetrics } from './prometheus-metrics.ts'

/** The lines of a scrape that begin with this name, comments left out. */
async function linesOf(metrics: PrometheusMetrics, name: string): Promise<string[]> {
  const text = await metrics.render()
  return text.split('\n').filter((line) => line.startsWith(name))
}

describe('metrics in the Prometheus text format', () => {
  test('name and explain every metric, with an empty line between two', async () => {
    const blocks = (await createPrometheusMetrics().render()).trimEnd().split('\n\n')
    expect(blocks).toContain('# HELP sluice_requests_total Requests answered\n# TYPE sluice_requests_total counter')
    expect(blocks).toContain(
      '# HELP sluice_requests_in_flight Requests without an answer\n# TYPE sluice_requests_in_flight gauge\nsluice_requests_in_flight 0',
    )
  })

  test('add up a counter for each set of labels', async () => {
    const metrics = createPrometheusMetrics()
    metrics.count('sluice_requests_total', { route: 'a', method: 'GET', status: '200' })
    metrics.count('sluice_requests_total', { route: 'a', method: 'GET', status: '503' }, 2)
    metrics.count('sluice_requests_total', { status: '200', method: 'GET', route: 'a' }, 3)
    expect(await linesOf(metrics, 'sluice_requests_total')).toEqual([
      'sluice_requests_total{route="a",method="GET",status="200"} 4',
      'sluice_requests_total{route="a",method="GET",status="503"} 2',
    ])
  })

  test('keep the last value of a gauge', async () => {
    const metrics = createPrometheusMetrics()
    metrics.gauge('sluice_breaker_state', 2, { breaker: 'pricing' })
    metrics.gauge('sluice_breaker_state', 1, { breaker: 'pricing' })
    expect(await linesOf(metrics, 'sluice_breaker_state')).toEqual(['sluice_breaker_state{breaker="pricing"} 1'])
  })

  test('count a duration in its bucket and in every larger one', async () => {
    const metrics = createPrometheusMetrics()
    for (const seconds of [0.001, 0.25, 0.3, 60]) {
      metrics.observe('sluice_request_duration_seconds', seconds, { route: 'a' })
    }
    expect(await linesOf(metrics, 'sluice_request_duration_seconds')).toEqual([
      'sluice_request_duration_seconds_bucket{le="0.001",route="a"} 1',
      'sluice_request_duration_seconds_bucket{le="0.0025",route="a"} 1',
      'sluice_request_duration_seconds_bucket{le="0.005",route="a"} 1',
      'sluice_request_duration_seconds_bucket{le="0.01",route="a"} 1',
      'sluice_request_duration_seconds_bucket{le="0.025",route="a"} 1',
      'sluice_request_duration_seconds_bucket{le="0.05",route="a"} 1',
      'sluice_request_duration_seconds_bucket{le="0.1",route="a"} 1',
      'sluice_request_duration_seconds_bucket{le="0.25",route="a"} 2',
      'sluice_request_duration_seconds_bucket{le="0.5",route="a"} 3',
      'sluice_request_duration_seconds_bucket{le="1",route="a"} 3',
      'sluice_request_duration_seconds_bucket{le="2.5",route="a"} 3',
      'sluice_request_duration_seconds_bucket{le="5",route="a"} 3',
      'sluice_request_duration_seconds_bucket{le="10",route="a"} 3',
      'sluice_request_duration_seconds_bucket{le="+Inf",route="a"} 4',
      'sluice_request_duration_seconds_sum{route="a"} 60.551',
      'sluice_request_duration_seconds_count{route="a"} 4',
    ])
  })

  test('escape what would end a label', async () => {
    const metrics = createPrometheusMetrics()
    metrics.count('sluice_settle_total', { outcome: '"\\\n' })
    expect(await linesOf(metrics, 'sluice_settle_total')).toEqual(['sluice_settle_total{outcome="\\"\\\\\\n"} 1'])
  })

  test.each([
    ['an unknown name', (metrics: PrometheusMetrics) => metrics.count('sluice_nothing_total')],
    ['a name of another kind', (metrics: PrometheusMetrics) => metrics.count('sluice_breaker_state')],
    ['an unknown label', (metrics: PrometheusMetrics) => metrics.count('sluice_settle_total', { colour: 'red' })],
  ])('refuse %s', (_, use) => {
    expect(() => use(createPrometheusMetrics())).toThrow(TypeError)
  })
})
