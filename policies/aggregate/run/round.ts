import type { Clock } from '../../../gateway/core/clock.ts'
import type { Exchange } from '../../../gateway/core/exchange.ts'
import type { Saga, SagaHook } from '../../../gateway/core/journal.ts'
import type { Scope } from '../../../gateway/core/scope.ts'
import type { Stop } from '../../../gateway/core/stop.ts'
import type { Outcome } from '../outcome.ts'
import type { Part } from '../plan/part.ts'
import type { Limits } from './limits.ts'
import type { ReplyMemory } from './memory.ts'
import type { CallQueue } from './queue.ts'

/** What the parts of one request share. */
export interface Round {
  readonly exchange: Exchange
  /** What templates read, with what is known of other parts. */
  readonly scope: Scope
  readonly clock: Clock
  readonly queue: CallQueue
  readonly memory: ReplyMemory
  readonly saga: Saga | undefined
  readonly onStep: SagaHook | undefined
  /** Gives up all calls. */
  readonly stop: Stop
  /** True once calls were given up that may take a moment to end. */
  hasGivenUp: boolean
  /** Of calls that nothing but the whole composition ends. */
  readonly untimed: Limits
  /** Told once for each part what became of it. */
  settle(part: Part, outcome: Outcome): void
  /** Ends everything because of a mistake of ours. */
  crash(error: unknown): void
}
