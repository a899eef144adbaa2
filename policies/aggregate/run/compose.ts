import type { Clock } from '../../../gateway/core/clock.ts'
import { GatewayError } from '../../../gateway/core/errors.ts'
import type { Exchange } from '../../../gateway/core/exchange.ts'
import { givenUpCallsEnded } from '../../../gateway/core/given-up-calls.ts'
import type { Saga, SagaHook } from '../../../gateway/core/journal.ts'
import { extendScope, type Scope } from '../../../gateway/core/scope.ts'
import { Stop } from '../../../gateway/core/stop.ts'
import { inputFailure, PartFailure, toPartFailure } from '../failure.ts'
import { type Failed, type Outcome, templateValue } from '../outcome.ts'
import type { Part } from '../plan/part.ts'
import { askPart } from './ask-part.ts'
import { Decided } from './decided.ts'
import { type Limits, untimed } from './limits.ts'
import type { ReplyMemory } from './memory.ts'
import type { Composition, Plan } from './plan.ts'
import { CallQueue } from './queue.ts'
import type { Round } from './round.ts'

export interface ComposeOptions {
  /** Time for everything, in milliseconds. */
  readonly totalMs: number
  /** Told of every outcome as it is known, in that order. */
  readonly settled?: ((outcome: Outcome) => void) | undefined
  /** Where writes are noted; where there are parts that write. */
  readonly saga?: Saga | undefined
}

/**
 * Asks for all parts, each the moment the parts it reads are settled. Ends when all are: by a reply, a failure, the end
 * of `totalMs`, or the failure of a required part, which cancels the rest. Rejects with the reason of `exchange.signal`
 * when that aborts.
 */
export function compose(plan: Plan, exchange: Exchange, options: ComposeOptions): Promise<Composition> {
  return new Run(plan, exchange, options).start()
}

/** One composition under way: a state machine that outcomes drive. */
class Run implements Round {
  readonly exchange: Exchange
  readonly scope: Scope
  readonly clock: Clock
  readonly queue: CallQueue
  readonly memory: ReplyMemory
  readonly saga: Saga | undefined
  readonly onStep: SagaHook | undefined
  readonly stop = new Stop()
  readonly untimed: Limits = untimed(this.stop)
  hasGivenUp = false
  readonly #plan: Plan
  readonly #options: ComposeOptions
  /** By name, what parts read of others; undefined when nobody does. */
  readonly #values: Record<string, unknown> | undefined
  readonly #outcomes: (Outcome | undefined)[]
  /** By part, whether it has been asked for or settled without. */
  readonly #isBegun: boolean[]
  readonly #finished = Promise.withResolvers<Composition>()
  #cancelEnd: (() => void) | undefined
  #cancelWait: (() => void) | undefined
  #unsettled: number
  #unsettledRequired: number
  #failures = 0
  #decider: Failed | undefined
  #isOver = false

  constructor(plan: Plan, exchange: Exchange, options: ComposeOptions) {
    const { parts, required, concurrency, memory, clock, onStep, isLinked } = plan
    const { saga } = options
    this.exchange = exchange
    this.clock = clock
    this.queue = new CallQueue(concurrency)
    this.memory = memory
    this.saga = saga
    this.onStep = onStep
    this.#plan = plan
    this.#options = options
    this.#outcomes = new Array(parts.length).fill(undefined)
    this.#isBegun = new Array(parts.length).fill(false)
    this.#unsettled = parts.length
    this.#unsettledRequired = required
    // A compensation reads of its own part, too.
    this.#values = isLinked || saga ? {} : undefined
    this.scope = this.#values ? extendScope(exchange.scope, { parts: this.#values }) : exchange.scope
  }

  start(): Promise<Composition> {
    const { stop } = this.exchange
    const { totalMs } = this.#options
    if (stop.reason !== undefined) this.#finished.reject(stop.reason)
    else {
      stop.listen(this)
      if (Number.isFinite(totalMs)) this.#endAfter(totalMs)
      if (this.#unsettledRequired === 0) this.#waitForOptional()
      try {
        this.#considerAll(this.#plan.first)
      } catch (error) {
        this.crash(error)
      }
    }
    return this.#finished.promise
  }

  /** The exchange is over: nobody waits for an answer any more. */
  stopped(reason: unknown): void {
    this.stop.abort(reason)
    // The log line of the request is about to be written, and what is on its way to a disk settles later.
    this.#abandon(reason)
  }

  settle(part: Part, outcome: Outcome): void {
    this.#outcomes[part.index] = outcome
    if (this.#values && (part.waiting.length > 0 || this.saga)) this.#values[part.name] = templateValue(outcome)
    this.#options.settled?.(outcome)
    if (outcome.kind === 'failed') {
      this.#failures++
      if (part.required) {
        this.#decider ??= outcome
        this.stop.abort(new Decided())
      }
    }
    this.#unsettled--
    if (part.required && --this.#unsettledRequired === 0) this.#waitForOptional()
    if (part.waiting.length > 0) this.#considerAll(part.waiting)
    if (this.#unsettled === 0) this.#finish()
  }

  crash(error: unknown): void {
    this.#isOver = true
    this.#finished.reject(error)
    // Calls may still be running, and nobody needs them.
    this.stop.abort(new Decided())
    this.#letGo()
  }

  #finish(): void {
    // What settles last may do so within the settling of another, which then finds everything settled, too.
    if (this.#isOver) return
    this.#isOver = true
    this.#letGo()
    if (this.hasGivenUp || this.stop.reason !== undefined) this.#concludeLater().catch(this.#finished.reject)
    else this.#conclude()
  }

  async #concludeLater(): Promise<void> {
    await givenUpCallsEnded()
    this.#conclude()
  }

  #conclude(): void {
    const { reason } = this.exchange.stop
    if (reason !== undefined) {
      this.#abandon(reason)
      this.#finished.reject(reason)
    } else {
      const outcomes = this.#outcomes.filter((outcome) => outcome !== undefined)
      this.#finished.resolve(this.#plan.conclude({ outcomes, decider: this.#decider }, this.exchange))
    }
  }

  #abandon(reason: unknown): void {
    const outcomes = this.#plan.parts.map(
      ({ name, index }): Outcome =>
        this.#outcomes[index] ?? { kind: 'failed', part: name, failure: toPartFailure(reason, this.stop) },
    )
    this.#plan.abandon(outcomes, this.exchange)
  }

  #letGo(): void {
    this.exchange.stop.unlisten(this)
    this.#cancelEnd?.()
    this.#cancelWait?.()
  }

  /**
   * Asks for a part, or settles it, once enough is known. Whether it is asked at all comes first, then what it needs: one
   * failure is enough, however long the others take. So the order in which inputs settle changes nothing.
   */
  #consider(part: Part): void {
    if (this.#isBegun[part.index] || !this.#areSettled(part.gates)) return
    const failed = this.#firstFailed(part)
    const isExcluded = part.when !== undefined && !part.when(this.scope)
    if (!isExcluded && !failed && !(this.#areSettled(part.needs) && this.#areSettled(part.order))) return
    this.#isBegun[part.index] = true
    if (isExcluded || (!failed && this.#isAnySkipped(part.needs))) {
      this.settle(part, { kind: 'skipped', part: part.name })
    } else askPart(part, this, failed && fromInput(failed))
  }

  /** What is settled at once, by a remembered reply or a condition, makes others ready before all have had their turn. */
  #considerAll(positions: readonly number[]): void {
    this.queue.hold()
    for (const index of positions) {
      const part = this.#plan.parts[index]
      if (part) this.#consider(part)
    }
    this.queue.release()
  }

  #areSettled(positions: readonly number[]): boolean {
    for (const index of positions) if (this.#outcomes[index] === undefined) return false
    return true
  }

  #isAnySkipped(positions: readonly number[]): boolean {
    for (const index of positions) if (this.#outcomes[index]?.kind === 'skipped') return true
    return false
  }

  /** What was given up, was given up because something else had failed before. */
  #firstFailed({ needs, order }: Part): Failed | undefined {
    if (this.#failures === 0) return undefined
    let first: Failed | undefined
    for (const index of [...needs, ...order]) {
      const outcome = this.#outcomes[index]
      if (outcome?.kind !== 'failed') continue
      if (outcome.failure.reason !== 'cancelled') return outcome
      first ??= outcome
    }
    return first
  }

  #waitForOptional(): void {
    const { waitForOptionalMs } = this.#plan
    if (waitForOptionalMs === undefined || this.#unsettled === 0) return
    // Whatever still runs is optional.
    const late = () => this.stop.abort(new PartFailure('late', { code: 'upstream-timeout' }))
    this.#cancelWait = this.clock.after(waitForOptionalMs, late)
  }

  #endAfter(totalMs: number): void {
    this.#cancelEnd = this.clock.after(totalMs, () => this.stop.abort(new GatewayError('upstream-timeout')))
  }
}

/** Not asked, because of a part it reads. */
function fromInput({ part, failure }: Failed): PartFailure {
  return failure.reason === 'cancelled' ? failure : inputFailure(part, failure)
}
