import type { Clock } from '../../core/clock.ts'
import type { Limiter, Limiters, LimitRule } from '../../core/limiter.ts'
import { ExpiringMap } from '../store/expiring-map.ts'
import { type Count, countRequest } from './counting.ts'
import { namespaceOf } from './namespace.ts'

export interface MemoryLimitersOptions {
  readonly clock: Clock
  /** Keys remembered at once, over all limiters. Default 100,000. */
  readonly maximumKeys?: number
}

/** Expired keys dropped along with each request, so that memory shrinks again after a flood. */
const DROPPED_PER_REQUEST = 2

/**
 * Limiters in this process's memory. Limiters of the same prefix and rule share their counts, so a reload of the
 * configuration forgets nothing. When all places are taken, expired keys go first, then the least recently used.
 */
export function createMemoryLimiters({ clock, maximumKeys = 100_000 }: MemoryLimitersOptions): Limiters {
  const counts = new ExpiringMap<Count>()

  const makeRoom = (now: number): void => {
    for (let i = 0; i < DROPPED_PER_REQUEST; i++) {
      if (!counts.dropExpired(now)) break
    }
    if (counts.size >= maximumKeys) counts.dropOldest()
  }

  const create = (prefix: string, rule: LimitRule): Limiter => {
    const namespace = namespaceOf(prefix, rule)
    return {
      async take(key) {
        const now = clock.now()
        const id = `${namespace}:${key}`
        const before = counts.get(id, now)
        const { verdict, count } = countRequest(rule, before, now)
        if (!before) makeRoom(now)
        counts.set(id, count, { expiresAt: count.expiresAt, now })
        return verdict
      },
    }
  }

  return { create, createLocal: create }
}
