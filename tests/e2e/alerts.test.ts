import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { METRICS } from '../../gateway/core/metrics.ts'
import { createMetrics } from '../../upstream-mocks/consumer/metrics.ts'

/** docs/alerts.yaml speaks of metrics that exist, and docs/operating.md of alerts that exist. */

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string }
}

const read = (file: string) => readFileSync(join(import.meta.dir, '../../docs', file), 'utf8')
const rules = (parse(read('alerts.yaml')) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules)

/** Label sets by the name of the metric: those of the gateway, of the consumer kit, and Prometheus' own. */
const known = new Map<string, readonly string[]>([
  ['up', []],
  ...Object.entries(METRICS).map(([name, { labels }]) => [name, labels] as const),
  ...[
    ...createMetrics('any')
      .render()
      .matchAll(/^# TYPE (\S+)/gm),
  ].map(([, name = '']) => [name, ['service']] as const),
])

/** Names in an expression that are metrics, with the labels asked of each. */
function metricsOf(expr: string): { name: string; labels: string[] }[] {
  const found = expr.matchAll(/\b(up|(?:sluice|consumer)_[a-z_]+)\b(?:\{([^}]*)\})?/g)
  return [...found].map(([, name = '', labels = '']) => ({
    name,
    labels: [...labels.matchAll(/([a-z_]+)=/g)].map(([, label = '']) => label),
  }))
}

describe('docs/alerts.yaml', () => {
  test('has rules', () => {
    expect(rules.length).toBeGreaterThan(10)
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length)
  })

  test.each(rules.map((rule) => ({ name: rule.alert, rule })))(
    '$name asks for metrics and labels that exist',
    ({ rule }) => {
      const asked = metricsOf(rule.expr)
      expect(asked.length).toBeGreaterThan(0)
      for (const { name, labels } of asked) {
        expect([...known.keys()]).toContain(name)
        for (const label of labels.filter((each) => each !== 'job')) expect(known.get(name) ?? []).toContain(label)
      }
      const shown = [...rule.annotations.summary.matchAll(/\$labels\.([a-z_]+)/g)].map(([, label = '']) => label)
      const labels = asked.flatMap(({ name }) => known.get(name) ?? [])
      for (const label of shown) expect(labels).toContain(label)
      expect(['page', 'ticket']).toContain(rule.labels.severity)
    },
  )

  test('is explained in docs/operating.md, alert by alert in the same order', () => {
    const [, section = ''] = read('operating.md').split('\n## When you are paged\n')
    const headings = [...(section.split('\n## ')[0] ?? '').matchAll(/^### (\w+)$/gm)].map(([, name]) => name)
    expect(headings).toEqual(rules.map(({ alert }) => alert))
  })
})
