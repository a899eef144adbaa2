import { z } from 'zod'
import { bytes, duration, percent } from '../../gateway/config/fields.ts'
import { sleep } from '../../gateway/core/clock.ts'
import { type FailureCode, GatewayError } from '../../gateway/core/errors.ts'
import type { Call } from '../../gateway/core/exchange.ts'
import { definePolicy } from '../../gateway/core/policy.ts'
import { RetryBudget } from './budget.ts'
import { replayableBody } from './replayable-body.ts'
import { leavesTime, readRetryAfter, waitBefore } from './wait.ts'

const options = z.strictObject({
  attempts: z.int().min(1).max(10).default(2).describe('Tries in all, the first included'),
  methods: z
    .array(z.string().regex(/^[A-Z][A-Z-]{0,31}$/, { error: 'expected a method in capital letters, such as "GET"' }))
    .max(32)
    .default(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])
    .describe('Methods that may be repeated'),
  'idempotency-key': z
    .boolean()
    .default(false)
    .describe(
      'Whether any method may be repeated when the request carries an Idempotency-Key, because the upstream honours it',
    ),
  statuses: z.array(z.int().min(400).max(599)).max(100).default([502, 503, 504]).describe('Statuses worth another try'),
  backoff: duration
    .prefault('25ms')
    .describe('Longest pause before the second try; doubles with every further one, and the pause itself is random'),
  'maximum-backoff': duration
    .prefault('250ms')
    .describe('Longest pause; an upstream that asks for more by Retry-After is not asked again'),
  budget: percent
    .prefault('20%')
    .describe('Retries allowed as a share of the calls of the last 10 s, but always 3; 0% allows none'),
  'max-body': bytes
    .prefault('64KiB')
    .describe('Largest request body kept in memory to be sent again; larger ones are sent once'),
})

const RETRYABLE: ReadonlySet<FailureCode> = new Set([
  'upstream-unreachable',
  'upstream-timeout',
  'upstream-invalid-response',
])

/** Repeats calls that failed and may be repeated, with pauses, within a budget. */
export default definePolicy({
  name: 'retry',
  at: 'upstream',
  options,

  create(settings, { clock, random, metrics }) {
    const { attempts } = settings
    const methods = new Set(settings.methods)
    const statuses = new Set(settings.statuses)
    const backoff = { firstMs: settings.backoff, maximumMs: settings['maximum-backoff'] }
    // Per mount and process like the breakers' statistics; derived from traffic, lost at no cost.
    const budget = new RetryBudget(settings.budget, clock)

    const mayRepeat = ({ method, headers }: Call): boolean =>
      methods.has(method) || (settings['idempotency-key'] && headers.has('idempotency-key'))

    /** The pause before another try, or undefined when there shall be none. */
    const pauseAfter = (tried: number, attempt: Attempt, call: Call): number | undefined => {
      const failed = 'error' in attempt ? isRetryable(attempt.error) : statuses.has(attempt.response.status)
      if (!failed || tried >= attempts) return undefined
      const retryAfterMs = 'error' in attempt ? 0 : readRetryAfter(attempt.response.headers, clock.now())
      const waitMs = waitBefore(tried, backoff, { random, retryAfterMs })
      if (waitMs === undefined || !leavesTime(call, waitMs, clock.now())) return undefined
      const granted = budget.takeRetry()
      metrics.count('sluice_retries_total', { upstream: call.upstream, outcome: granted ? 'sent' : 'over-budget' })
      return granted ? waitMs : undefined
    }

    return async function retry(call, next) {
      budget.countCall()
      if (attempts === 1 || !mayRepeat(call)) return next()
      const body = await replayableBody(call, settings['max-body'])
      if (body === undefined) return next()

      for (let tried = 1; ; tried++) {
        const attempt = await settle(next({ body }))
        const pauseMs = pauseAfter(tried, attempt, call)
        if (pauseMs === undefined) {
          if ('error' in attempt) throw attempt.error
          return attempt.response
        }
        // An unread body would hold its connection.
        if ('response' in attempt) attempt.response.body?.cancel().catch(() => {})
        await sleep(clock, pauseMs, call.signal)
      }
    }
  },
})

type Attempt = { readonly response: Response } | { readonly error: unknown }

function settle(work: Promise<Response>): Promise<Attempt> {
  return work.then(
    (response) => ({ response }),
    (error: unknown) => ({ error }),
  )
}

function isRetryable(error: unknown): boolean {
  return error instanceof GatewayError && RETRYABLE.has(error.code)
}
