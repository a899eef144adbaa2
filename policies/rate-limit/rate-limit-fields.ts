import { createKey } from '../../gateway/core/keys.ts'
import type { LimitVerdict } from '../../gateway/core/limiter.ts'
import type { Limit } from './options.ts'

/** What one limit said about one request. */
export interface Decision extends LimitVerdict {
  readonly limit: Limit
}

/** Decisions of every `rate-limit` on the way, outermost first, so that the fields list them all. */
export const decisions = createKey<readonly Decision[]>('rate-limit decisions')

/**
 * `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers): lists of RFC 9651. The names were checked
 * at load, and hold nothing that would need escaping.
 */
export function rateLimitFields(all: readonly Decision[]): Record<string, string> {
  if (all.length === 0) return {}
  return { 'ratelimit-policy': all.map(policyItem).join(', '), ratelimit: all.map(budgetItem).join(', ') }
}

/** Seconds until the budget grows, rounded up; at least 1. */
export function resetSeconds({ resetMs }: LimitVerdict): number {
  return Math.max(1, Math.ceil(resetMs / 1_000))
}

/**
 * Seconds after which a refused caller gets through: later than the very moment a window ends, because a sliding window
 * frees its first place just after it.
 */
export function retryAfterSeconds(violated: readonly Decision[]): number {
  return Math.max(...violated.map(({ resetMs }) => Math.floor(resetMs / 1_000) + 1))
}

function policyItem({ limit: { name, rule, windowSeconds } }: Decision): string {
  return `"${name}";q=${rule.limit}${windowSeconds === undefined ? '' : `;w=${windowSeconds}`}`
}

function budgetItem(decision: Decision): string {
  return `"${decision.limit.name}";r=${decision.remaining};t=${resetSeconds(decision)}`
}
