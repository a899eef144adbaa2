import type { Clock } from '../../../gateway/core/clock.ts'
import type { Exchange } from '../../../gateway/core/exchange.ts'
import type { SagaHook } from '../../../gateway/core/journal.ts'
import type { Failed, Outcome } from '../outcome.ts'
import type { Part } from '../plan/part.ts'
import type { ReplyMemory } from './memory.ts'

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
  /** Positions of those that wait for no other, or may be skipped without. */
  readonly first: readonly number[]
  /** How many parts there is no answer without. */
  readonly required: number
  /** Whether any reads what became of another. */
  readonly isLinked: boolean
  /** Calls of one request at once. */
  readonly concurrency: number
  /** How long optional parts may go on once no required one does; undefined for as long as they like. */
  readonly waitForOptionalMs: number | undefined
  readonly memory: ReplyMemory
  readonly clock: Clock
  readonly onStep: SagaHook | undefined
  /** The last word on what came of a request, told before anybody else learns of it. */
  conclude(composition: Composition, exchange: Exchange): Composition
  /** Told instead what was known by then, when the exchange ends before its composition does. */
  abandon(outcomes: readonly Outcome[], exchange: Exchange): void
}
