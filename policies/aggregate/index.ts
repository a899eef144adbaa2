import { ClientGone } from '../../gateway/core/errors.ts'
import type { Exchange } from '../../gateway/core/exchange.ts'
import { definePolicy } from '../../gateway/core/policy.ts'
import type { Logger } from '../../gateway/core/telemetry.ts'
import { type Answering, answer } from './answer/answer.ts'
import { compileConflicts } from './answer/conflicts.ts'
import { compileFields } from './answer/fields.ts'
import { compileLayout } from './answer/layout.ts'
import { note, summaryOf, unfinished } from './answer/summary.ts'
import { compileTally } from './answer/tally.ts'
import { compileWrite } from './answer/write.ts'
import { options } from './options.ts'
import { answerMistakes } from './plan/answer-mistakes.ts'
import { boundMistakes } from './plan/bound-mistakes.ts'
import { fieldMistakes } from './plan/field-mistakes.ts'
import { graphMistakes } from './plan/graph.ts'
import { partMistakes } from './plan/mistakes.ts'
import { compileParts, type Part } from './plan/part.ts'
import { shapeMistakes } from './plan/shape-mistakes.ts'
import { streamMistakes } from './plan/stream-mistakes.ts'
import { timeToCompose } from './plan/time-to-compose.ts'
import { compose } from './run/compose.ts'
import { ReplyMemory } from './run/memory.ts'
import type { Plan } from './run/plan.ts'
import { formFor } from './stream/form.ts'
import { type StreamEnd, stream } from './stream/stream.ts'
import { isWrite } from './write/is-write.ts'
import { keyMistakes, writeMistakes } from './write/mistakes.ts'
import { createSagas } from './write/saga.ts'

/** Answers with one JSON document composed of the replies of several upstreams, whole or honestly partial. */
export default definePolicy({
  name: 'aggregate',
  at: 'route',
  ends: true,
  reads: ['parts', 'item', 'index', 'keys', 'composition', 'write'],
  journals: ({ parts }) => Object.values(parts).some(isWrite),
  calls: ({ parts }) => Object.values(parts).map(({ upstream }) => upstream),
  options,

  check: (settings, site) => [
    ...partMistakes(settings, site),
    ...boundMistakes(settings, site),
    ...graphMistakes(settings.parts),
    ...shapeMistakes(settings),
    ...answerMistakes(settings),
    ...fieldMistakes(settings),
    ...streamMistakes(settings),
    ...writeMistakes(settings, site),
    ...keyMistakes(settings),
  ],

  create(settings, { clock, journal, log, metrics, openCalls, sha256, upstreams }, { path: mount }) {
    const parts = compileParts(settings, { upstreams, clock })
    const layout = compileLayout(settings)
    const settleConflicts = compileConflicts(layout, parts)
    const tally = compileTally(parts, { metrics, mount })
    const answering: Answering = {
      write: compileWrite(settings, layout, clock),
      fields: compileFields(settings),
      hash: settings.etag ? sha256 : undefined,
    }
    const plan: Plan = {
      parts,
      first: parts.filter(isKnownAtOnce).map(({ index }) => index),
      required: parts.filter(({ required }) => required).length,
      isLinked: parts.some(({ inputs }) => inputs.length > 0),
      concurrency: Math.min(settings.concurrency, openCalls),
      waitForOptionalMs: settings['wait-for-optional'],
      memory: new ReplyMemory(settings.memory),
      clock,
      onStep: journal.onStep,
      conclude(composition, { record }) {
        const concluded = settleConflicts(composition)
        note(record, summaryOf(concluded))
        tally(concluded.outcomes)
        return concluded
      },
      abandon: (outcomes, { record }) => note(record, unfinished(outcomes)),
    }
    const hidden = new Set(Object.entries(settings.parts).flatMap(([name, part]) => (part.hidden ? [name] : [])))

    const sagas = createSagas(
      { journal, clock, mount, withinMs: settings['compensate-within'] },
      {
        compose: (exchange, saga) => compose(plan, exchange, { totalMs: totalMs(exchange), saga }),
        answer: (composition, exchange) => answer(composition, answering, exchange),
      },
    )

    if (parts.some(({ write }) => write)) return sagas

    return function aggregate(exchange) {
      const form = settings.stream ? formFor(exchange.request) : 'document'
      if (form === 'document') {
        return answer(compose(plan, exchange, { totalMs: totalMs(exchange) }), answering, exchange)
      }
      return stream(exchange, {
        form,
        clock,
        hidden,
        compose: (each, settled) => compose(plan, each, { totalMs: totalMs(each), settled }),
        ended: (end) => logEnd(exchange, log, end),
      })
    }

    function totalMs({ deadline }: Exchange): number {
      return Math.min(settings.timeout ?? Number.POSITIVE_INFINITY, timeToCompose(deadline - clock.now()))
    }
  },
})

/** Whether a part needs no other, or its own condition may skip it before the others are there. */
function isKnownAtOnce({ inputs, gates, when }: Part): boolean {
  return inputs.length === 0 || (when !== undefined && gates.length === 0)
}

/** The log line of a request is written when its answer begins: what became of a stream has one of its own. */
function logEnd({ id, route, record }: Exchange, log: Logger, { composition, error }: StreamEnd): void {
  const { calls, policies } = record
  if (composition || error instanceof ClientGone) {
    const failure = composition ? {} : { failure: 'client-gone' }
    log.info('stream ended', { id, route, ...failure, ...(policies.aggregate ?? {}), calls })
  } else log.error('stream broke', { id, route, error: error instanceof Error ? error.stack : String(error) })
}
