import { matchesTopic } from '../core/topic.ts'
import type { Mounted } from './cross-checks.ts'
import type { DataMistake } from './issues.ts'
import { didYouMean, type Path } from './mistake.ts'
import type { ReadableTopology } from './topology.ts'

/** What policies publish to, held against what `topology` says the broker has. */
export interface DestinationFindings {
  /** Exchanges nobody knows. */
  readonly mistakes: readonly DataMistake[]
  /** Routing keys that no queue of the file takes: a consumer may bind one of its own. */
  readonly notices: readonly DataMistake[]
}

/**
 * Checks where events and commands go, where the file names exchanges at all: without them every exchange a route names
 * is declared. The names that begin with `amq.` are the broker's own.
 */
export function checkDestinations(
  { exchanges, others, queues }: ReadableTopology,
  routes: Mounted,
): DestinationFindings {
  // What a list that cannot be read would have named, nobody knows.
  if (!exchanges || !others) return { mistakes: [], notices: [] }
  const known = [...exchanges, ...others].filter((name) => name !== undefined)
  if (known.length === 0) return { mistakes: [], notices: [] }
  const mistakes: DataMistake[] = []
  const notices: DataMistake[] = []
  for (const { exchange, exchangeOption, routingKey, routingKeyOption, optionsPath } of destinations(routes)) {
    if (!known.includes(exchange)) {
      if (exchange.startsWith('amq.') || known.length < exchanges.length + others.length) continue
      const hint =
        didYouMean(exchange, known) || '; list it in topology.exchanges, or in other-exchanges if it is not yours'
      const message = `topology has no exchange "${exchange}"${hint}`
      mistakes.push({ path: [...optionsPath, exchangeOption], message })
      continue
    }
    const patterns = queues.flatMap((queue) => (queue.exchange === exchange ? queue.bind : []))
    const isTaken = patterns.some((pattern) => pattern === undefined || matchesTopic(pattern, routingKey))
    if (patterns.length === 0 || isTaken) continue
    const meant = didYouMean(
      routingKey,
      patterns.filter((pattern) => pattern !== undefined),
    )
    const message = `no queue of topology takes "${routingKey}" of "${exchange}": it is parked unless a consumer binds one${meant}`
    notices.push({ path: [...optionsPath, routingKeyOption], message })
  }
  return { mistakes, notices }
}

function* destinations(routes: Mounted) {
  for (const { mounts } of routes.values()) {
    for (const { policy, options, optionsPath } of mounts) {
      const destination = policy.at === 'route' ? policy.publishesTo?.(options) : undefined
      if (destination) yield { ...destination, optionsPath: optionsPath as Path }
    }
  }
}
