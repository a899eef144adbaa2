import type { Clock } from '../../../gateway/core/clock.ts'
import { GatewayError } from '../../../gateway/core/errors.ts'
import type { Exchange } from '../../../gateway/core/exchange.ts'
import type { Saga, SagaHook } from '../../../gateway/core/journal.ts'
import { extendScope, type Scope } from '../../../gateway/core/scope.ts'
import { inputFailure, PartFailure } from '../failure.ts'
import { type Failed, type Outcome, templateValue } from '../outcome.ts'
import type { Part } from '../plan/part.ts'
import { type Round, untimed } from './ask.ts'
import { askPart } from './ask-part.ts'
import type { ReplyMemory } from './memory.ts'
import { CallQueue } from './queue.ts'
import { Decided, Stop } from './stop.ts'

/** Every part's outcome, in the order of the parts. */
export interface Composition {
  readonly outcomes: readonly Outcome[]
  /** The required part whose failure ended the composition. */
  readonly decider: Failed | undefined
}

/** An aggregate, compiled. */
export interface Plan {
  /** In the order of the file. */
  readonly parts: readonly Part[]
  /** Those that wait for no other, or may be skipped without. */
  readonly first: readonly Part[]
  /** Calls of one request at once. */
  readonly concurrency: number
  /** How long optional parts may go on once no required one does; undefined for as long as they like. */
  readonly waitForOptionalMs: number | undefined
  readonly memory: ReplyMemory
}

export interface ComposeOptions {
  readonly clock: Clock
  /** Time for everything, in milliseconds. */
  readonly totalMs: number
  /** Told of every outcome as it is known, in that order. */
  readonly settled?: (outcome: Outcome) => void
  /** Where writes are noted; where there are parts that write. */
  readonly saga?: Saga | undefined
  readonly onStep?: SagaHook | undefined
}

/**
 * Asks for all parts, each the moment the parts it reads are settled. Ends when all are: by a reply, a failure, the end
 * of `totalMs`, or the failure of a required part, which cancels the rest. Rejects with the reason of `exchange.signal`
 * when that aborts.
 */
export async function compose(plan: Plan, exchange: Exchange, options: ComposeOptions): Promise<Composition> {
  exchange.signal.throwIfAborted()
  const run = new Run(plan, exchange, options)
  const leave = () => run.giveUp(exchange.signal.reason)
  exchange.signal.addEventListener('abort', leave, { once: true })
  try {
    const composition = await run.start()
    exchange.signal.throwIfAborted()
    return composition
  } finally {
    exchange.signal.removeEventListener('abort', leave)
    run.end()
  }
}

/** One composition under way: a state machine that outcomes drive. */
class Run {
  readonly #plan: Plan
  readonly #options: ComposeOptions
  readonly #round: Round
  readonly #scope: Scope
  readonly #values: Record<string, unknown> = {}
  readonly #outcomes: (Outcome | undefined)[]
  /** By part, whether it has been asked for or settled without. */
  readonly #isBegun: boolean[]
  readonly #all = new Stop()
  readonly #finished = Promise.withResolvers<Composition>()
  readonly #appointments: (() => void)[] = []
  #unsettled: number
  #unsettledRequired: number
  #failures = 0
  #decider: Failed | undefined

  constructor(plan: Plan, exchange: Exchange, options: ComposeOptions) {
    const { parts, concurrency, memory } = plan
    this.#plan = plan
    this.#options = options
    this.#outcomes = new Array(parts.length).fill(undefined)
    this.#isBegun = new Array(parts.length).fill(false)
    this.#unsettled = parts.length
    this.#unsettledRequired = parts.filter(({ required }) => required).length
    this.#scope = extendScope(exchange.scope, { parts: this.#values })
    const { clock, saga, onStep } = options
    const queue = new CallQueue(concurrency)
    const { reject: crash } = this.#finished
    this.#round = { exchange, clock, memory, queue, saga, onStep, untimed: untimed(this.#all), crash }
  }

  start(): Promise<Composition> {
    const { totalMs } = this.#options
    if (Number.isFinite(totalMs)) this.#after(totalMs, () => this.#all.abort(new GatewayError('upstream-timeout')))
    if (this.#unsettledRequired === 0) this.#waitForOptional()
    try {
      this.#considerAll(this.#plan.first)
    } catch (error) {
      this.#finished.reject(error)
    }
    return this.#finished.promise
  }

  /** Nobody waits for an answer any more. */
  giveUp(reason: Error): void {
    this.#all.abort(reason)
  }

  end(): void {
    for (const cancel of this.#appointments) cancel()
    // Only after a mistake of ours are calls still running here; telling nobody costs as much as telling somebody.
    if (this.#unsettled > 0) this.#all.abort(new Decided())
  }

  /**
   * Asks for a part, or settles it, once enough is known. Whether it is asked at all comes first, then what it needs: one
   * failure is enough, however long the others take. So the order in which inputs settle changes nothing.
   */
  #consider(part: Part): void {
    if (this.#isBegun[part.index] || !this.#areSettled(part.gates)) return
    const failed = this.#firstFailed(part)
    const isExcluded = part.when !== undefined && !part.when(this.#scope)
    if (!isExcluded && !failed && !(this.#areSettled(part.needs) && this.#areSettled(part.order))) return
    this.#isBegun[part.index] = true
    if (isExcluded || (!failed && part.needs.some((index) => this.#outcomes[index]?.kind === 'skipped'))) {
      this.#settle(part, { kind: 'skipped', part: part.name })
      return
    }
    askPart(part, {
      scope: this.#scope,
      within: this.#all,
      round: this.#round,
      failure: failed && fromInput(failed),
      done: (outcome) => this.#settle(part, outcome),
    })
  }

  /** What is settled at once, by a remembered reply or a condition, makes others ready before all have had their turn. */
  #considerAll(parts: readonly Part[]): void {
    const { queue } = this.#round
    queue.hold()
    for (const part of parts) this.#consider(part)
    queue.release()
  }

  #areSettled(positions: readonly number[]): boolean {
    for (const index of positions) if (this.#outcomes[index] === undefined) return false
    return true
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

  #settle(part: Part, outcome: Outcome): void {
    this.#outcomes[part.index] = outcome
    if (part.waiting.length > 0 || this.#round.saga) this.#values[part.name] = templateValue(outcome)
    this.#options.settled?.(outcome)
    if (outcome.kind === 'failed') {
      this.#failures++
      if (part.required) {
        this.#decider ??= outcome
        this.#all.abort(new Decided())
      }
    }
    this.#unsettled--
    if (part.required && --this.#unsettledRequired === 0) this.#waitForOptional()
    if (part.waiting.length > 0) this.#considerAll(part.waiting.flatMap((index) => this.#plan.parts[index] ?? []))
    if (this.#unsettled === 0) {
      this.#finished.resolve({ outcomes: this.#outcomes.flatMap((each) => each ?? []), decider: this.#decider })
    }
  }

  #waitForOptional(): void {
    const { waitForOptionalMs } = this.#plan
    if (waitForOptionalMs === undefined || this.#unsettled === 0) return
    // Whatever still runs is optional.
    this.#after(waitForOptionalMs, () => this.#all.abort(new PartFailure('late', { code: 'upstream-timeout' })))
  }

  #after(delayMs: number, task: () => void): void {
    this.#appointments.push(this.#options.clock.after(delayMs, task))
  }
}

/** Not asked, because of a part it reads. */
function fromInput({ part, failure }: Failed): PartFailure {
  return failure.reason === 'cancelled' ? failure : inputFailure(part, failure)
}
