/** One series of a metric: what was counted for one set of labels. */
export interface Series {
  /** The lines of a scrape that tell of it. `labels` are `name="value"` pairs with commas between them, or empty. */
  render(name: string, labels: string): string
}

/** A counter or a gauge. */
export class Sum implements Series {
  value = 0

  render(name: string, labels: string): string {
    return line(name, labels, this.value)
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

  render(name: string, labels: string): string {
    const further = labels === '' ? '' : `,${labels}`
    let text = ''
    let count = 0
    for (const [i, bound] of BOUNDS.entries()) {
      count += this.#within[i] ?? 0
      text += line(`${name}_bucket`, `le="${bound}"${further}`, count)
    }
    text += line(`${name}_bucket`, `le="+Inf"${further}`, this.#count)
    return text + line(`${name}_sum`, labels, this.#sum) + line(`${name}_count`, labels, this.#count)
  }
}

function line(name: string, labels: string, value: number): string {
  return labels === '' ? `${name} ${value}\n` : `${name}{${labels}} ${value}\n`
}
