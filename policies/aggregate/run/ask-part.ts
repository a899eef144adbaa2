import { GatewayError } from '../../../gateway/core/errors.ts'
import type { Scope } from '../../../gateway/core/scope.ts'
import { PartFailure } from '../failure.ts'
import type { Outcome } from '../outcome.ts'
import type { Part } from '../plan/part.ts'
import { askWrite } from '../write/ask-write.ts'
import { type Asked, ask, givenUp, type Limits, type Round, render } from './ask.ts'
import { type AskedEach, askEach } from './ask-each.ts'
import { fallBack } from './fall-back.ts'
import { shapeOutcome } from './shape-outcome.ts'
import type { Stop } from './stop.ts'

export interface AskPart {
  readonly scope: Scope
  /** Its calls are given up with this. */
  readonly within: Stop
  readonly round: Round
  /** Why it cannot be asked at all. */
  readonly failure: PartFailure | undefined
  /** Told once what became of it. */
  readonly done: (outcome: Outcome) => void
}

/** Asks for one part, once or for each item of its list, within its own time. */
export function askPart(part: Part, { scope, within, round, failure, done }: AskPart): void {
  const startedAt = round.clock.now()
  const limits = limitTime(part, within, round)
  const finish = (unshaped: Outcome) => {
    limits.release()
    const outcome = shapeOutcome(part, unshaped)
    if (outcome instanceof Promise) outcome.then(done).catch(round.crash)
    else done(outcome)
  }
  const over = givenUp(limits)
  // A part that nobody needs is not asked. One whose time is up is not either, but a remembered reply may stand in.
  const unasked = failure ?? (over?.reason === 'cancelled' ? over : undefined)
  if (unasked) finish(fallBack(part, unasked))
  else if (part.forEach) {
    const list = (asked: AskedEach) => finish(toListOutcome(part, asked, round.clock.now() - startedAt))
    askEach(part, part.forEach, { scope, limits, round, done: list })
  } else {
    const once = (asked: Asked) => finish(toOutcome(part, asked, round.clock.now() - startedAt))
    const request = render(part, scope)
    if (request instanceof PartFailure) once({ failure: request })
    else if (part.write && round.saga)
      askWrite(part, part.write, request, { scope, limits, round, saga: round.saga, done: once })
    else ask(part, request, { limits, round, done: once })
  }
}

function toOutcome(part: Part, asked: Asked, durationMs: number): Outcome {
  if ('failure' in asked) return fallBack(part, asked.failure, asked.stale)
  return { kind: 'ok', part: part.name, reply: asked.reply, durationMs, ageMs: asked.ageMs }
}

function toListOutcome(part: Part, asked: AskedEach, durationMs: number): Outcome {
  if (!('list' in asked)) return fallBack(part, asked.failure)
  const { list, missed, failure } = asked
  if (!failure) return { kind: 'ok', part: part.name, reply: list, durationMs }
  // A list of nothing but stand-ins is no reply.
  if (missed === list.body.length) return { kind: 'fallback', part: part.name, shown: list, failure }
  return { kind: 'partial', part: part.name, reply: list, durationMs, failed: missed, failure }
}

/** Calls of a part that nothing else can end need no signal of their own. */
function limitTime({ timeoutMs, forEach }: Part, within: Stop, { clock, queue, untimed }: Round): Limits {
  if (timeoutMs === undefined && !forEach) return untimed
  const own = within.within()
  let cancel: (() => void) | undefined
  // The places its calls give back are taken once all have: by then the part is settled, and what waited for it competes.
  const abort = (reason: Error) => {
    queue.hold()
    own.abort(reason)
    queue.release()
  }
  return {
    stop: own,
    begin() {
      if (timeoutMs !== undefined) cancel ??= clock.after(timeoutMs, () => abort(new GatewayError('upstream-timeout')))
    },
    abort,
    release() {
      cancel?.()
      within.forget(own)
    },
  }
}
