import { editResponse } from '../../gateway/core/edit-response.ts'
import { GatewayError } from '../../gateway/core/errors.ts'
import type { Exchange } from '../../gateway/core/exchange.ts'
import { principal } from '../../gateway/core/keys.ts'
import type { LimitVerdict } from '../../gateway/core/limiter.ts'
import { definePolicy } from '../../gateway/core/policy.ts'
import { StoreUnavailable } from '../../gateway/core/store.ts'
import { bucketKey } from './bucket-key.ts'
import { checkOptions, type Limit, limitsOf, options } from './options.ts'
import { type Decision, decisions, rateLimitFields, retryAfterSeconds } from './rate-limit-fields.ts'

/** Allows each caller so many requests in so much time, and answers the rest with 429. */
export default definePolicy({
  name: 'rate-limit',
  at: 'route',
  options,
  check: checkOptions,
  needs: (given) => (limitsOf(given).some(readsPrincipal) ? [principal] : []),

  create(given, { limiters, metrics }, { path }) {
    const onFailure = given['on-store-failure']
    const limits = limitsOf(given).map((limit) => ({
      limit,
      shared: limiters.create(`${path}:${limit.name}`, limit.rule),
      local: limiters.createLocal(`${path}:${limit.name}`, limit.rule),
    }))

    return async function rateLimit(exchange, next) {
      const decided = (await Promise.all(limits.map((one) => decide(one, exchange)))).filter((one) => one !== undefined)
      const all = [...(exchange.get(decisions) ?? []), ...decided]
      exchange.set(decisions, all)
      note(exchange, { remaining: Object.fromEntries(decided.map(({ limit, remaining }) => [limit.name, remaining])) })

      const violated = decided.filter(({ allowed }) => !allowed)
      metrics.count('sluice_rate_limit_total', { mount: path, outcome: violated.length > 0 ? 'refused' : 'allowed' })
      if (violated.length > 0) throw refusal(exchange, violated, all)
      const response = await next()
      const fields = Object.entries(rateLimitFields(exchange.get(decisions) ?? []))
      return editResponse(response, (headers) => {
        for (const [name, value] of fields) headers.set(name, value)
      })
    }

    /** Undefined when the store failed and the request may pass uncounted. */
    async function decide(
      { limit, shared, local }: (typeof limits)[number],
      exchange: Exchange,
    ): Promise<Decision | undefined> {
      const key = await bucketKey(limit.by, exchange.scope)
      try {
        return { limit, ...(await shared.take(key)) }
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error
        const verdict = await withoutStore(exchange, error, () => local.take(key))
        return verdict && { limit, ...verdict }
      }
    }

    async function withoutStore(
      exchange: Exchange,
      cause: StoreUnavailable,
      countLocally: () => Promise<LimitVerdict>,
    ): Promise<LimitVerdict | undefined> {
      metrics.count('sluice_rate_limit_total', { mount: path, outcome: 'store-unavailable' })
      note(exchange, { store: 'unavailable', answer: onFailure, cause: cause.message })
      if (onFailure === 'local') return countLocally()
      if (onFailure === 'allow') return undefined
      const detail = 'The rate limit cannot be checked at present'
      throw new GatewayError('overloaded', { detail, headers: { 'retry-after': '1' }, cause })
    }
  },
})

function readsPrincipal({ by }: Limit): boolean {
  return by.some(({ root, path: [first] }) => root === 'claims' || (root === 'client' && first === 'id'))
}

/** Adds facts to the log record, beside those of another `rate-limit` on the same route. */
function note({ record }: Exchange, facts: Readonly<Record<string, unknown>>): void {
  const before = record.policies['rate-limit'] as { remaining?: Record<string, number> } | undefined
  const remaining = { ...before?.remaining, ...(facts.remaining ?? {}) }
  record.policies['rate-limit'] = { ...before, ...facts, remaining }
}

function refusal(exchange: Exchange, violated: readonly Decision[], all: readonly Decision[]): GatewayError {
  const names = violated.map(({ limit }) => limit.name)
  const seconds = retryAfterSeconds(violated)
  note(exchange, { violated: names })
  return new GatewayError('rate-limited', {
    detail: `Try again in ${seconds} s`,
    headers: { 'retry-after': String(seconds), ...rateLimitFields(all) },
    extensions: { 'violated-policies': names },
  })
}
