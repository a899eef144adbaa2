import type { Exchange } from '../../gateway/core/exchange.ts'
import { definePolicy } from '../../gateway/core/policy.ts'
import { type Answering, answer } from './answer/answer.ts'
import { compileConflicts } from './answer/conflicts.ts'
import { compileFields } from './answer/fields.ts'
import { compileLayout } from './answer/layout.ts'
import { isComplete, wordFor } from './answer/status.ts'
import { compileWrite } from './answer/write.ts'
import { options } from './options.ts'
import { answerMistakes } from './plan/answer-mistakes.ts'
import { fieldMistakes } from './plan/field-mistakes.ts'
import { graphMistakes } from './plan/graph.ts'
import { partMistakes } from './plan/mistakes.ts'
import { compileParts } from './plan/part.ts'
import { shapeMistakes } from './plan/shape-mistakes.ts'
import { type Composition, compose, type Plan } from './run/compose.ts'
import { ReplyMemory } from './run/memory.ts'

/** Answers with one JSON document composed of the replies of several upstreams, whole or honestly partial. */
export default definePolicy({
  name: 'aggregate',
  at: 'route',
  ends: true,
  reads: ['parts', 'item', 'index', 'keys', 'composition'],
  options,

  check: (settings, site) => [
    ...partMistakes(settings, site),
    ...graphMistakes(settings.parts),
    ...shapeMistakes(settings),
    ...answerMistakes(settings),
    ...fieldMistakes(settings),
  ],

  create(settings, { clock, metrics, openCalls, upstreams }, { path: mount }) {
    const parts = compileParts(settings, upstreams)
    const layout = compileLayout(settings)
    const settleConflicts = compileConflicts(layout, parts)
    const answering: Answering = {
      write: compileWrite(settings, layout),
      fields: compileFields(settings),
      tags: settings.etag,
      always: {},
    }
    const plan: Plan = {
      parts,
      first: parts.filter(({ inputs }) => inputs.length === 0).sort((a, b) => a.rank - b.rank),
      concurrency: Math.min(settings.concurrency, openCalls),
      waitForOptionalMs: settings['wait-for-optional'],
      memory: new ReplyMemory(settings.memory),
    }

    return async function aggregate(exchange) {
      const totalMs = totalTime(settings.timeout, exchange.deadline - clock.now())
      const composition = settleConflicts(await compose(plan, exchange, { clock, totalMs }))
      note(exchange, composition)
      for (const outcome of composition.outcomes) {
        metrics.count('sluice_parts_total', { mount, part: outcome.part, outcome: wordFor(outcome) })
      }
      return answer(composition, answering, exchange)
    }
  },
})

/** Most time kept back from the route's deadline, so that what came in time is still sent in time. */
const RESERVE_MS = 100

function totalTime(timeoutMs = Number.POSITIVE_INFINITY, leftMs: number): number {
  const usableMs = leftMs - Math.min(RESERVE_MS, leftMs / 10)
  return Math.max(0, Math.min(timeoutMs, usableMs))
}

function note({ record }: Exchange, { outcomes }: Composition): void {
  const failed = outcomes.flatMap((outcome) => {
    if (outcome.kind === 'ok' || outcome.kind === 'skipped') return []
    const { reason, cause } = outcome.failure
    return [{ part: outcome.part, error: reason, ...(cause === undefined ? {} : { cause }) }]
  })
  record.policies.aggregate = { complete: isComplete(outcomes), failed }
}
