import type { LimitRule, LimitVerdict } from '../../core/limiter.ts'

/** What is remembered for one key. The meaning of the numbers belongs to the algorithm. */
export interface Count {
  /** Window algorithms: number of the window since the epoch. Token bucket: when it was last refilled. */
  readonly since: number
  /** Requests in the window, or tokens left in the bucket. */
  readonly amount: number
  /** Requests in the window before. */
  readonly previous: number
  /** When nothing of this matters any more, in milliseconds since the epoch. */
  readonly expiresAt: number
}

export interface Counted {
  readonly verdict: LimitVerdict
  readonly count: Count
}

type WindowRule = Extract<LimitRule, { readonly windowMs: number }>
type BucketRule = Extract<LimitRule, { readonly algorithm: 'token-bucket' }>

/** Counts one request by the rules of `@upstash/ratelimit` 2.2, so that memory and Redis decide alike. */
export function countRequest(rule: LimitRule, before: Count | undefined, now: number): Counted {
  switch (rule.algorithm) {
    case 'fixed-window':
      return fixedWindow(rule, before, now)
    case 'sliding-window':
      return slidingWindow(rule, before, now)
    case 'token-bucket':
      return tokenBucket(rule, before, now)
  }
}

function fixedWindow({ limit, windowMs }: WindowRule, before: Count | undefined, now: number): Counted {
  const since = Math.floor(now / windowMs)
  const amount = (before?.since === since ? before.amount : 0) + 1
  const expiresAt = (since + 1) * windowMs
  return {
    verdict: { allowed: amount <= limit, remaining: Math.max(0, limit - amount), resetMs: expiresAt - now },
    count: { since, amount, previous: 0, expiresAt },
  }
}

/** The window before counts by the share of it that a window ending now would still cover. */
function slidingWindow({ limit, windowMs }: WindowRule, before: Count | undefined, now: number): Counted {
  const since = Math.floor(now / windowMs)
  const amount = before?.since === since ? before.amount : 0
  const previous = previousOf(before, since)
  const weighted = Math.floor((1 - (now % windowMs) / windowMs) * previous)
  const allowed = weighted + amount < limit
  const counted = allowed ? amount + 1 : amount
  const resetMs = (since + 1) * windowMs - now
  return {
    verdict: { allowed, remaining: Math.max(0, allowed ? limit - counted - weighted : 0), resetMs },
    count: { since, amount: counted, previous, expiresAt: (since + 2) * windowMs },
  }
}

function previousOf(before: Count | undefined, since: number): number {
  if (before?.since === since) return before.previous
  return before?.since === since - 1 ? before.amount : 0
}

function tokenBucket({ limit, refill, intervalMs }: BucketRule, before: Count | undefined, now: number): Counted {
  const bucket = before ?? { since: now, amount: limit, previous: 0, expiresAt: now }
  const refills = Math.max(0, Math.floor((now - bucket.since) / intervalMs))
  const tokens = Math.min(limit, bucket.amount + refills * refill)
  const since = bucket.since + refills * intervalMs
  const resetMs = since + intervalMs - now
  if (tokens < 1) return { verdict: { allowed: false, remaining: 0, resetMs }, count: bucket }
  const amount = tokens - 1
  const expiresAt = now + Math.ceil((limit - amount) / refill) * intervalMs
  return { verdict: { allowed: true, remaining: amount, resetMs }, count: { since, amount, previous: 0, expiresAt } }
}
