import { z } from 'zod'
import { duration, reference } from '../../gateway/config/fields.ts'
import type { LimitRule } from '../../gateway/core/limiter.ts'
import type { OptionMistake } from '../../gateway/core/policy.ts'
import { parseReference, type Reference } from '../../gateway/core/reference.ts'

const name = z
  .string()
  .max(64)
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, { error: 'expected a name in kebab-case, such as "per-minute"' })
const limit = z.int().min(1).max(1_000_000_000)
const algorithm = z.enum(['fixed-window', 'sliding-window', 'token-bucket'])
const refill = z.int().min(1).max(1_000_000_000)
const by = z.union([reference, z.array(reference).min(1).max(8)])

const oneLimit = z.strictObject({
  name: name.describe('Name of this limit in the RateLimit fields; each one once'),
  limit: limit.describe('Requests allowed per window; for token-bucket the size of the bucket'),
  window: duration.describe('Length of the window; for token-bucket the time between two refills'),
  algorithm: algorithm.optional().describe('How requests are counted; default sliding-window'),
  refill: refill.optional().describe('token-bucket only: requests the bucket gains per window; default: limit'),
  by: by.optional().describe('Who shares one budget: a reference, or several that count together; default client.ip'),
})

export const options = z.strictObject({
  ...oneLimit.partial().shape,
  name: name.optional().describe('Name of the limit in the RateLimit fields; default "default"'),
  limits: z.array(oneLimit).min(1).max(8).optional().describe('Several limits at once, instead of the single one'),
  'on-store-failure': z
    .enum(['allow', 'deny', 'local'])
    .default('local')
    .describe('While the store cannot be reached: let pass, refuse, or count in this process alone'),
})

export type RateLimitOptions = z.output<typeof options>

/** One limit with every default in place. */
export interface Limit {
  readonly name: string
  readonly rule: LimitRule
  readonly by: readonly Reference[]
  /** Seconds after which an idle budget is whole again; undefined when these are no whole seconds. */
  readonly windowSeconds: number | undefined
}

const CLIENT_ADDRESS = parseReference('client.ip')

/** The limits of a mount, whichever of the two forms they were written in. */
export function limitsOf(given: RateLimitOptions): readonly Limit[] {
  return writtenLimits(given).map(toLimit)
}

/** Mistakes that stand between fields: both forms or none, a refill without a bucket, a name twice. */
export function checkOptions(given: RateLimitOptions): readonly OptionMistake[] {
  if (!given.limits) return [...missingFields(given), ...strayRefill(given, [])]
  const stray = SINGLE_FORM.filter((field) => given[field] !== undefined)
  const names = given.limits.map((one) => one.name)
  return [
    ...stray.map((field) => ({ path: [field], message: `stands beside "limits": move "${field}" into one of them` })),
    ...names.flatMap((one, i) =>
      names.indexOf(one) === i
        ? []
        : [{ path: ['limits', i, 'name'], message: `"${one}" names two limits: rename one` }],
    ),
    ...given.limits.flatMap((one, i) => strayRefill(one, ['limits', i])),
  ]
}

const SINGLE_FORM = ['name', 'limit', 'window', 'algorithm', 'refill', 'by'] as const

type WrittenLimit = Omit<z.output<typeof oneLimit>, 'name'> & { readonly name?: string | undefined }

function writtenLimits({ limits, limit, window, ...rest }: RateLimitOptions): readonly WrittenLimit[] {
  if (limits) return limits
  // Files in which one of the two is missing were refused by `checkOptions`.
  return limit === undefined || window === undefined ? [] : [{ ...rest, limit, window }]
}

function toLimit({
  name = 'default',
  limit,
  window,
  algorithm = 'sliding-window',
  refill = limit,
  by,
}: WrittenLimit): Limit {
  const isBucket = algorithm === 'token-bucket'
  const wholeAfterMs = isBucket ? Math.ceil(limit / refill) * window : window
  return {
    name,
    rule: isBucket ? { algorithm, limit, refill, intervalMs: window } : { algorithm, limit, windowMs: window },
    by: by === undefined ? [CLIENT_ADDRESS] : [by].flat(),
    windowSeconds: wholeAfterMs % 1_000 === 0 ? wholeAfterMs / 1_000 : undefined,
  }
}

function missingFields(given: RateLimitOptions): OptionMistake[] {
  const missing = (['limit', 'window'] as const).filter((field) => given[field] === undefined)
  if (missing.length === 0) return []
  const message = `needs "${missing.join('" and "')}", as in { limit: 100, window: 1m }, or a list of "limits"`
  return [{ path: [], message }]
}

function strayRefill(
  one: Pick<WrittenLimit, 'algorithm' | 'refill'>,
  path: readonly (string | number)[],
): OptionMistake[] {
  if (one.refill === undefined || one.algorithm === 'token-bucket') return []
  return [
    {
      path: [...path, 'refill'],
      message: 'means something only with algorithm: token-bucket: add that, or drop refill',
    },
  ]
}
