import { showDuration } from '../../../gateway/config/fields.ts'
import type { OptionMistake, Site } from '../../../gateway/core/policy.ts'
import type { AggregateOptions } from '../options.ts'
import { timeToCompose } from './time-to-compose.ts'

/** A time that runs from the start, and what to say of a longer one. */
interface Bound {
  readonly ms: number
  readonly why: string
  /** True when no other option has a part in it. */
  readonly isOfRoute?: true
}

/**
 * Times and numbers of calls that can never be reached, because a smaller one holds around them. One that is as long as
 * what it runs within says what holds anyway, and is no mistake.
 */
export function boundMistakes(settings: AggregateOptions, { timeoutMs }: Site): OptionMistake[] {
  const { timeout, parts } = settings
  const wait = settings['wait-for-optional']
  const required = Object.values(parts).filter((part) => part.required).length
  const ofRoute = timeoutMs === undefined ? [] : [boundOfRoute(timeoutMs)]
  const ofAll = timeout === undefined ? [] : [boundOfAll(timeout)]
  // Without a required part nothing is there to wait for first.
  const ofWait = wait === undefined || required > 0 ? [] : [boundOfWait(wait)]
  const isUsed = required < Object.keys(parts).length
  return [
    ...beyond(['timeout'], timeout, [...ofRoute, ...ofWait]),
    // It begins when the required parts are there: as long as all there is, it ends too late.
    ...(isUsed ? beyond(['wait-for-optional'], wait, [...ofRoute, ...ofAll], { isLater: required > 0 }) : []),
    ...Object.entries(parts).flatMap(([name, part]) => [
      ...beyond(['parts', name, 'timeout'], part.timeout, [...ofRoute, ...ofAll, ...ofWait]),
      ...concurrencyMistakes(['parts', name, 'for-each', 'concurrency'], part['for-each']?.concurrency, settings),
    ]),
  ]
}

function boundOfRoute(timeoutMs: number): Bound {
  const ms = timeToCompose(timeoutMs)
  const why = `the route's timeout of ${showDuration(timeoutMs)} leaves ${showDuration(ms)} to compose in; shorten it, or raise the route's`
  return { ms, why, isOfRoute: true }
}

function boundOfAll(ms: number): Bound {
  return { ms, why: `the aggregate's "timeout" ends all parts after ${showDuration(ms)}; shorten it, or raise that` }
}

function boundOfWait(ms: number): Bound {
  const why = `no part is required, so "wait-for-optional" ends all of them after ${showDuration(ms)}; shorten it, or raise that`
  return { ms, why }
}

function beyond(
  path: readonly string[],
  ms: number | undefined,
  bounds: readonly Bound[],
  { isLater = false } = {},
): OptionMistake[] {
  const [first] = bounds.toSorted((a, b) => a.ms - b.ms)
  if (ms === undefined || first === undefined || (isLater ? ms < first.ms : ms <= first.ms)) return []
  const mistake = { path, message: `is never reached: ${first.why}` }
  return [first.isOfRoute && ms > first.ms ? { ...mistake, within: path } : mistake]
}

function concurrencyMistakes(
  path: readonly string[],
  calls: number | undefined,
  { concurrency }: AggregateOptions,
): OptionMistake[] {
  if (calls === undefined || calls <= concurrency) return []
  const message = `is never reached: the aggregate's "concurrency" lets ${concurrency} calls run at once; lower it, or raise that`
  return [{ path, message }]
}
