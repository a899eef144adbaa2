import type { Clock } from '../../core/clock.ts'
import type { Limiter, Limiters, LimitRule } from '../../core/limiter.ts'
import { ExpiringMap } from '../store/expiring-map.ts'
import { type Count, countRequest } from './counting.ts'
import { namespaceOf } from './namespace.ts'

export interface MemoryLimitersOptions {
  readonly clock: Clock
  /** Keys remembered at once by each limiter. Default 100,000. */
  readonly maximumKeys?: number
}

/** Expired keys dropped along with each request, so that memory shrinks again after a flood. */
const DROPPED_PER_REQUEST = 2

/**
 * Limiters in this process's memory. Limiters of the same prefix and rule share their counts, so a reload of the
 * configuration forgets nothing. Each has room of its own, so that a flood of keys in one resets no other; when all
 * places are taken, expired keys go first, then the least recently used.
 */
export function createMemoryLimiters({ clock, maximumKeys = 100_000 }: MemoryLimitersOptions): Limiters {
  const byNamespace = new Map<string, ExpiringMap<Count>>()

  const countsOf = (namespace: string): ExpiringMap<Count> => {
    const counts = byNamespace.get(namespace) ?? new ExpiringMap<Count>()
    byNamespace.set(namespace, counts)
    return counts
  }

  const makeRoom = (counts: ExpiringMap<Count>, now: number): void => {
    for (let i = 0; i < DROPPED_PER_REQUEST; i++) {
      if (!counts.dropExpired(now)) break
    }
    if (counts.size >= maximumKeys) counts.dropOldest()
  }

  const create = (prefix: string, rule: LimitRule): Limiter => {
    const counts = countsOf(namespaceOf(prefix, rule))
    return {
      async take(key) {
        const now = clock.now()
        const before = counts.get(key, now)
        const { verdict, count } = countRequest(rule, before, now)
        if (!before) makeRoom(counts, now)
        counts.set(key, count, { expiresAt: count.expiresAt, now })
        return verdict
      },
    }
  }

  return { create, createLocal: create }
}
