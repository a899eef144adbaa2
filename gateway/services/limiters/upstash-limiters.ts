import { Ratelimit } from '@upstash/ratelimit'
import type { Clock } from '../../core/clock.ts'
import type { Limiter, Limiters, LimitRule } from '../../core/limiter.ts'
import { answerWithin } from '../store/answer-within.ts'
import type { Scripts } from '../store/redis-scripts.ts'
import { namespaceOf } from './namespace.ts'

type RatelimitConfig = ConstructorParameters<typeof Ratelimit>[0]

export interface UpstashLimitersOptions {
  /** `createRedisScripts(client)` for a Redis over TCP, `createUpstashScripts(…)` for Upstash over HTTP. */
  readonly scripts: Scripts
  readonly clock: Clock
  /** Answers `createLocal`: limiters in this process's memory. */
  readonly local: Limiters
  /** How long a request waits for the store before it counts as unavailable. Default 100. */
  readonly timeoutMs?: number
  /** Default `sluice:limit:`. */
  readonly keyPrefix?: string
}

/**
 * Limiters in Redis or Upstash through `@upstash/ratelimit`, shared by every process that uses the same one. The
 * library would let a request pass after its own timeout; here a store that is late or gone is `StoreUnavailable`.
 */
export function createUpstashLimiters({
  scripts,
  clock,
  local,
  timeoutMs = 100,
  keyPrefix = 'sluice:limit:',
}: UpstashLimitersOptions): Limiters {
  const create = (prefix: string, rule: LimitRule): Limiter => {
    const longestMs = rule.algorithm === 'token-bucket' ? rule.intervalMs : rule.windowMs
    const ratelimit = new Ratelimit({
      // The library is typed for the whole Upstash client and calls these two functions of it.
      redis: scripts as unknown as RatelimitConfig['redis'],
      limiter: algorithmOf(rule),
      prefix: keyPrefix + namespaceOf(prefix, rule),
      timeout: 0,
      // Its cache is an unbounded map.
      ephemeralCache: false,
      analytics: false,
      enableTelemetry: false,
    })
    return {
      async take(key) {
        const { success, remaining, reset } = await answerWithin(clock, timeoutMs, () => ratelimit.limit(key))
        const resetMs = Math.min(longestMs, Math.max(0, reset - clock.now()))
        return { allowed: success, remaining: Math.max(0, remaining), resetMs }
      },
    }
  }

  return { create, createLocal: (prefix, rule) => local.createLocal(prefix, rule) }
}

function algorithmOf(rule: LimitRule): RatelimitConfig['limiter'] {
  switch (rule.algorithm) {
    case 'fixed-window':
      return Ratelimit.fixedWindow(rule.limit, `${rule.windowMs} ms`)
    case 'sliding-window':
      return Ratelimit.slidingWindow(rule.limit, `${rule.windowMs} ms`)
    case 'token-bucket':
      return Ratelimit.tokenBucket(rule.refill, `${rule.intervalMs} ms`, rule.limit)
  }
}
