/** One number of a scrape. */
export interface Sample {
  /** The name of the metric, or one made of it. */
  readonly metricName: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** One series of a metric: what was counted for one set of labels. */
export interface Series {
  samples(name: string, labels: Sample['labels']): Sample[]
}

/** A counter or a gauge. */
export class Sum implements Series {
  value = 0

  samples(metricName: string, labels: Sample['labels']): Sample[] {
    return [{ metricName, labels, value: this.value }]
  }
}

/** Upper bounds of a histogram's buckets, in seconds. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** A histogram of durations. */
export class Distribution implements Series {
  readonly #within: number[] = BOUNDS.map(() => 0)
  #sum = 0
  #count = 0

  observe(seconds: number): void {
    this.#sum += seconds
    this.#count++
    let at = 0
    for (const bound of BOUNDS) {
      if (seconds <= bound) break
      at++
    }
    // Beyond the last bound there is only the count of all.
    if (at < BOUNDS.length) this.#within[at] = (this.#within[at] ?? 0) + 1
  }

  samples(name: string, labels: Sample['labels']): Sample[] {
    const bucket = (le: string, value: number) => ({ metricName: `${name}_bucket`, labels: { le, ...labels }, value })
    let count = 0
    const buckets = BOUNDS.map((bound, i) => {
      count += this.#within[i] ?? 0
      return bucket(String(bound), count)
    })
    return [
      ...buckets,
      bucket('+Inf', this.#count),
      { metricName: `${name}_sum`, labels, value: this.#sum },
      { metricName: `${name}_count`, labels, value: this.#count },
    ]
  }
}
