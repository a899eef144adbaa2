import type { Logger, Metrics } from '../../core/telemetry.ts'

export interface Telemetry {
  readonly log: Logger
  readonly metrics: Metrics
}

/** Names of metrics that are remembered to have failed; a policy could make them up without end. */
const MOST_NAMES = 100

/**
 * The same logger and metrics, but nothing they throw (or reject with) reaches who tells them something: a full disk must
 * not become a client's answer. Lines that are lost are counted, metrics that fail are logged, each once.
 */
export function harmless({ log, metrics }: Telemetry): Telemetry {
  const failedNames = new Set<string>()

  const lineLost = (): void => {
    // When this fails too, nobody is left to be told.
    try {
      const result: unknown = metrics.count('sluice_log_lines_lost_total')
      if (result instanceof Promise) result.catch(() => {})
    } catch {}
  }

  const writer = (level: keyof Logger) => (message: string, facts?: Readonly<Record<string, unknown>>) => {
    try {
      const result: unknown = log[level](message, facts)
      if (result instanceof Promise) result.catch(lineLost)
    } catch {
      lineLost()
    }
  }

  const told: Logger = { info: writer('info'), warn: writer('warn'), error: writer('error') }

  const countFailed = (metric: string, error: unknown): void => {
    if (failedNames.has(metric) || failedNames.size >= MOST_NAMES) return
    failedNames.add(metric)
    told.error('Cannot count', { metric, error: error instanceof Error ? String(error) : typeof error })
  }

  /** A sink that promises nothing may still be an async function, whose rejection would end the process. */
  const heed = (metric: string, result: unknown): void => {
    if (result instanceof Promise) result.catch((error: unknown) => countFailed(metric, error))
  }

  // No function is made for each count: requests wait for it.
  return {
    log: told,
    metrics: {
      count(name, labels, by) {
        try {
          heed(name, metrics.count(name, labels, by))
        } catch (error) {
          countFailed(name, error)
        }
      },
      gauge(name, value, labels) {
        try {
          heed(name, metrics.gauge(name, value, labels))
        } catch (error) {
          countFailed(name, error)
        }
      },
      observe(name, seconds, labels) {
        try {
          heed(name, metrics.observe(name, seconds, labels))
        } catch (error) {
          countFailed(name, error)
        }
      },
    },
  }
}
