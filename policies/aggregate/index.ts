import type { Exchange } from '../../gateway/core/exchange.ts'
import { definePolicy, type OptionMistake, type Site } from '../../gateway/core/policy.ts'
import { answer } from './answer/answer.ts'
import { isComplete } from './answer/status.ts'
import { type AggregateOptions, options } from './options.ts'
import { graphMistakes } from './plan/graph.ts'
import { compilePart } from './plan/part.ts'
import { type Composition, compose } from './run/compose.ts'

/** Answers with one JSON document composed of the replies of several upstreams, whole or honestly partial. */
export default definePolicy({
  name: 'aggregate',
  at: 'route',
  ends: true,
  reads: ['parts'],
  options,

  check: ({ parts }, site) => [
    ...upstreamMistakes(parts, site),
    ...graphMistakes(parts),
    ...Object.entries(parts).flatMap(([name, { required, fallback }]) =>
      required && fallback !== undefined ? [unusedFallback(name)] : [],
    ),
  ],

  create(settings, { clock, upstreams }) {
    const parts = Object.entries(settings.parts).map(([name, part]) => compilePart(name, part, upstreams))

    return async function aggregate(exchange) {
      const totalMs = totalTime(settings.timeout, exchange.deadline - clock.now())
      const composition = await compose(parts, exchange, { clock, totalMs })
      note(exchange, composition)
      return answer(composition)
    }
  },
})

function upstreamMistakes(parts: AggregateOptions['parts'], { upstreams }: Site): OptionMistake[] {
  return Object.entries(parts).flatMap(([name, { upstream }]) => {
    if (upstreams.includes(upstream)) return []
    const path = ['parts', name, 'upstream']
    return [{ path, message: `unknown upstream "${upstream}"`, found: upstream, candidates: upstreams }]
  })
}

function unusedFallback(name: string): OptionMistake {
  return {
    path: ['parts', name, 'fallback'],
    message: 'is never used: without a required part there is no answer; remove the fallback, or "required"',
  }
}

/** Most time kept back from the route's deadline, so that what came in time is still sent in time. */
const RESERVE_MS = 100

function totalTime(timeoutMs = Number.POSITIVE_INFINITY, leftMs: number): number {
  const usableMs = leftMs - Math.min(RESERVE_MS, leftMs / 10)
  return Math.max(0, Math.min(timeoutMs, usableMs))
}

function note({ record }: Exchange, { outcomes }: Composition): void {
  const failed = outcomes.flatMap((outcome) => {
    if (outcome.kind === 'ok') return []
    const { reason, cause } = outcome.failure
    return [{ part: outcome.part, error: reason, ...(cause === undefined ? {} : { cause }) }]
  })
  record.policies.aggregate = { complete: isComplete(outcomes), failed }
}
