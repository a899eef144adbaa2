import { PartFailure } from '../failure.ts'
import type { Outcome } from '../outcome.ts'
import type { ForEach } from '../plan/for-each.ts'
import type { Part } from '../plan/part.ts'
import { askWrite } from '../write/ask-write.ts'
import { type Asked, type Asking, ask, render } from './ask.ts'
import { type AskedEach, askEach } from './ask-each.ts'
import { fallBack } from './fall-back.ts'
import { givenUp, type Limits, limitsOf } from './limits.ts'
import type { Round } from './round.ts'
import { shapeOutcome } from './shape-outcome.ts'

/**
 * Asks for one part, once or for each item of its list, within its own time; `failure` says why it cannot be asked at
 * all. What becomes of it is told to the round.
 */
export function askPart(part: Part, round: Round, failure: PartFailure | undefined): void {
  new PartRun(part, round).start(failure)
}

/** One part, from when it may be asked to its outcome. */
class PartRun implements Asking {
  readonly round: Round
  readonly limits: Limits
  readonly #part: Part
  readonly #startedAt: number

  constructor(part: Part, round: Round) {
    this.round = round
    this.limits = limitsOf(part, round)
    this.#part = part
    this.#startedAt = round.clock.now()
  }

  start(failure: PartFailure | undefined): void {
    const part = this.#part
    const over = givenUp(this.limits)
    // A part that nobody needs is not asked. One whose time is up is not either, but a remembered reply may stand in.
    const unasked = failure ?? (over?.reason === 'cancelled' ? over : undefined)
    if (unasked) this.#finish(fallBack(part, unasked))
    else if (part.forEach) this.#askEach(part.forEach)
    else this.#askOnce()
  }

  #askEach(each: ForEach): void {
    const { round, limits } = this
    askEach(this.#part, each, { round, limits, done: (asked) => this.#finish(this.#toListOutcome(asked)) })
  }

  #toListOutcome(asked: AskedEach): Outcome {
    const part = this.#part
    if (!('list' in asked)) return fallBack(part, asked.failure)
    const { list, missed, failure } = asked
    const durationMs = this.#elapsedMs()
    if (!failure) return { kind: 'ok', part: part.name, reply: list, durationMs }
    // A list of nothing but stand-ins is no reply.
    if (missed === list.body.length) return { kind: 'fallback', part: part.name, shown: list, failure }
    return { kind: 'partial', part: part.name, reply: list, durationMs, failed: missed, failure }
  }

  #askOnce(): void {
    const part = this.#part
    const request = render(part, this.round.scope)
    if (request instanceof PartFailure) this.done({ failure: request })
    else if (part.write && this.round.saga) {
      askWrite(part, { write: part.write, saga: this.round.saga, request }, this)
    } else ask(part, request, this)
  }

  done(asked: Asked): void {
    const part = this.#part
    if ('failure' in asked) this.#finish(fallBack(part, asked.failure, asked.stale))
    else {
      const { reply, ageMs } = asked
      this.#finish({ kind: 'ok', part: part.name, reply, durationMs: this.#elapsedMs(), ageMs })
    }
  }

  #elapsedMs(): number {
    return this.round.clock.now() - this.#startedAt
  }

  #finish(unshaped: Outcome): void {
    this.limits.release()
    const outcome = shapeOutcome(this.#part, unshaped)
    if (outcome instanceof Promise) this.#settleLater(outcome)
    else this.round.settle(this.#part, outcome)
  }

  async #settleLater(shaping: Promise<Outcome>): Promise<void> {
    try {
      this.round.settle(this.#part, await shaping)
    } catch (error) {
      this.round.crash(error)
    }
  }
}
