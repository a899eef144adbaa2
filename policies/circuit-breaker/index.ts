import { z } from 'zod'
import { duration, percent } from '../../gateway/config/fields.ts'
import { bodyTooLarge, collect } from '../../gateway/core/body.ts'
import type { Breaker, BreakerOptions } from '../../gateway/core/breaker.ts'
import { GatewayError } from '../../gateway/core/errors.ts'
import type { Call } from '../../gateway/core/exchange.ts'
import { definePolicy } from '../../gateway/core/policy.ts'
import { judgeError } from './judge-error.ts'
import { statusMatcher, statusPattern } from './status-pattern.ts'

const LONGEST_OPEN_MS = 60_000

const options = z.strictObject({
  'failure-rate': percent
    .refine((share) => share > 0, { error: 'expected a percentage greater than "0%"' })
    .prefault('50%')
    .describe('Share of failed calls at or above which the circuit opens'),
  'minimum-calls': z
    .int()
    .min(1)
    .max(1_000_000)
    .default(20)
    .describe('Calls in the window below which the rate means nothing'),
  window: duration.prefault('10s').describe('How far back calls are counted'),
  'open-for': duration
    .prefault('5s')
    .describe('How long the circuit stays open the first time, give or take 10 %; doubles with every failed probe'),
  'maximum-open': duration
    .optional()
    .describe('Longest time it stays open, give or take 10 %; default 60s, or open-for if that is longer'),
  probes: z.int().min(1).max(1_000).default(3).describe('Calls let through at once to try the upstream again'),
  successes: z.int().min(1).max(1_000).default(2).describe('Probes that must succeed to close the circuit'),
  'probe-lease': duration
    .prefault('30s')
    .describe('How long a probe may stay unanswered before another takes its place'),
  'failures-on': z
    .array(statusPattern)
    .max(100)
    .default(['5xx'])
    .describe('Statuses that count as failures, such as 503 or "5xx"; timeouts and broken connections always do'),
})

/** Stops calling an upstream (or one version of it) that keeps failing, and tries it again with a few probes. */
export default definePolicy({
  name: 'circuit-breaker',
  at: 'upstream',
  options,

  check({ 'open-for': openForMs, 'maximum-open': maximumOpenMs = Number.POSITIVE_INFINITY }) {
    if (maximumOpenMs >= openForMs) return []
    return [{ path: ['maximum-open'], message: 'is shorter than open-for: lower open-for or raise maximum-open' }]
  },

  create(settings, { breakers, clock }) {
    const rules = toBreakerOptions(settings)
    const isFailure = statusMatcher(settings['failures-on'])

    return async function circuitBreaker(call, next) {
      const breaker = breakers.get(
        call.version === undefined ? call.upstream : `${call.upstream}/${call.version}`,
        rules,
      )
      const arrived = await arrive(call, breaker)
      const permit = breaker.admit()
      if (!permit) {
        call.record.breaker = breaker.state
        throw refusal(breaker.retryAfterMs)
      }
      call.record.breaker = permit.state
      const startedMs = clock.now()
      let response: Response
      try {
        response = await next(arrived)
      } catch (error) {
        permit.settle(judgeError(error, call, clock.now() - startedMs))
        throw error
      }
      permit.settle(isFailure(response.status) ? 'failure' : 'success')
      return response
    }
  },
})

/**
 * A probe is spent on a request that is all there: a client that sends slowly could hold the places of the probes, and
 * with them the circuit, for as long as it likes. Refused calls are not read.
 */
async function arrive({ body, exchange, signal }: Call, breaker: Breaker): Promise<Partial<Call> | undefined> {
  const mayProbe = breaker.state !== 'closed' && breaker.retryAfterMs === 0
  if (!mayProbe || !(body instanceof ReadableStream)) return undefined
  try {
    return { body: await collect(body, Number.POSITIVE_INFINITY, bodyTooLarge, signal) }
  } catch (error) {
    throw exchange.body.failure ?? error
  }
}

function toBreakerOptions(settings: z.output<typeof options>): BreakerOptions {
  return {
    failureRate: settings['failure-rate'],
    minimumCalls: settings['minimum-calls'],
    windowMs: settings.window,
    openForMs: settings['open-for'],
    maximumOpenMs: settings['maximum-open'] ?? Math.max(LONGEST_OPEN_MS, settings['open-for']),
    probes: settings.probes,
    successes: settings.successes,
    probeLeaseMs: settings['probe-lease'],
  }
}

function refusal(retryAfterMs: number): GatewayError {
  const seconds = Math.max(1, Math.ceil(retryAfterMs / 1_000))
  return new GatewayError('circuit-open', {
    detail: 'Too many calls to a service behind the gateway have failed, so it is left alone for a while',
    headers: { 'retry-after': `${seconds}` },
  })
}
