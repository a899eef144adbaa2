/** Numbers a consumer keeps about itself, by name and label. */
export interface Metrics {
  count(name: CounterName, labels?: Labels): void
  set(name: GaugeName, value: number, labels?: Labels): void
  /** The current value; 0 when nothing was ever counted. */
  read(name: CounterName | GaugeName, labels?: Labels): number
  /** Prometheus text format 0.0.4. */
  render(): string
}

type Labels = Readonly<Record<string, string>>

const COUNTERS = {
  consumer_handled_total: 'Events that took effect',
  consumer_repeats_total: 'Events that were known already and changed nothing',
  consumer_retries_total: 'Attempts after a failure: in place, delayed, or behind an earlier event of the subject',
  consumer_dead_letters_total: 'Messages given up, by reason',
  consumer_waits_total: 'Waits for the service itself, e.g. its database',
  consumer_published_total: 'Consequences the broker has confirmed',
  consumer_returned_total: 'Consequences no queue was there for; they are sent again',
  consumer_reconnects_total: 'Connections to the broker that were lost or could not be made',
} as const

const GAUGES = {
  consumer_lag_seconds: 'Age of the event handled last, from its time to its effect',
  consumer_in_hand: 'Messages delivered and not yet settled',
  consumer_outgoing_pending: 'Consequences that wait for the broker',
  consumer_connected: '1 while the broker delivers',
} as const

type CounterName = keyof typeof COUNTERS
type GaugeName = keyof typeof GAUGES

/** Makes the numbers of one service, which is a label of each. */
export function createMetrics(service: string): Metrics {
  const values = new Map<string, Map<string, number>>()

  function series(name: string): Map<string, number> {
    const known = values.get(name) ?? new Map<string, number>()
    values.set(name, known)
    return known
  }
  const render = (labels: Labels = {}) => {
    const pairs = Object.entries({ service, ...labels }).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    return `{${pairs.join(',')}}`
  }

  return {
    count(name, labels) {
      const key = render(labels)
      series(name).set(key, (series(name).get(key) ?? 0) + 1)
    },
    set: (name, value, labels) => void series(name).set(render(labels), value),
    read: (name, labels) => series(name).get(render(labels)) ?? 0,
    render() {
      const lines: string[] = []
      for (const [names, kind] of [[COUNTERS, 'counter'] as const, [GAUGES, 'gauge'] as const]) {
        for (const [name, help] of Object.entries(names)) {
          lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`)
          for (const [labels, value] of series(name)) lines.push(`${name}${labels} ${value}`)
        }
      }
      return `${lines.join('\n')}\n`
    },
  }
}
