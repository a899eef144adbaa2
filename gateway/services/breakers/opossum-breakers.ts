import { LRUCache } from 'lru-cache'
import type { BreakerOptions, BreakerState, Breakers } from '../../core/breaker.ts'
import type { Clock } from '../../core/clock.ts'
import type { Logger, Metrics } from '../../core/telemetry.ts'
import { Circuit, type Transition } from './circuit.ts'
import type { Tally } from './opossum-window.ts'

export interface BreakersParts {
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  readonly log: Logger
  readonly metrics: Metrics
}

/** Names come from the configuration, so this is only reached when something else goes wrong. */
const MAXIMUM_BREAKERS = 1_024

const GAUGE: Readonly<Record<BreakerState, number>> = { closed: 0, 'half-open': 1, open: 2 }

/**
 * Circuit breakers with opossum's rolling statistics, kept in this process. A breaker belongs to a name and its
 * options: the same name with other options, as after a reload, starts afresh. The least recently used goes beyond
 * 1,024 of them.
 */
export function createOpossumBreakers({ clock, random, log, metrics }: BreakersParts): Breakers {
  const circuits = new LRUCache<string, Circuit>({ max: MAXIMUM_BREAKERS })
  const fingerprints = new WeakMap<BreakerOptions, string>()

  const fingerprintOf = (options: BreakerOptions): string => {
    const known = fingerprints.get(options)
    if (known !== undefined) return known
    const made = JSON.stringify(Object.entries(options).sort())
    fingerprints.set(options, made)
    return made
  }

  const create = (name: string, options: BreakerOptions): Circuit => {
    metrics.gauge('sluice_breaker_state', GAUGE.closed, { breaker: name })
    return new Circuit(options, {
      clock,
      random,
      report: (transition) => {
        metrics.count('sluice_breaker_transitions_total', { breaker: name, to: transition.to })
        metrics.gauge('sluice_breaker_state', GAUGE[transition.to], { breaker: name })
        tell(log, name, transition)
      },
    })
  }

  return {
    get(name, options) {
      const key = `${name}\n${fingerprintOf(options)}`
      const known = circuits.get(key)
      if (known) return known
      const made = create(name, options)
      circuits.set(key, made)
      return made
    },
  }
}

function tell(log: Logger, breaker: string, transition: Transition): void {
  switch (transition.to) {
    case 'half-open':
      log.info('circuit half-open', { breaker })
      break
    case 'closed':
      log.info('circuit closed', { breaker })
      break
    case 'open':
      log.warn('circuit opened', { breaker, openForMs: transition.openForMs, ...reasonOf(transition.tally) })
  }
}

function reasonOf(tally: Tally | undefined): Readonly<Record<string, unknown>> {
  return tally ? { failureRate: tally.failureRate, calls: tally.calls } : { reason: 'a probe failed' }
}
