import type { Clock } from '../../../gateway/core/clock.ts'
import type { Exchange } from '../../../gateway/core/exchange.ts'
import type { Saga, SagaHook } from '../../../gateway/core/journal.ts'
import type { Scope } from '../../../gateway/core/scope.ts'
import { PartFailure, toPartFailure } from '../failure.ts'
import type { Part } from '../plan/part.ts'
import type { PartRequest } from '../plan/request.ts'
import type { Reply } from '../reply/read.ts'
import { type Called, callPart } from './call.ts'
import { memoryKey, type Remembered, type ReplyMemory } from './memory.ts'
import type { CallQueue } from './queue.ts'

/** What the calls of one request share. */
export interface Round {
  readonly exchange: Exchange
  readonly clock: Clock
  readonly queue: CallQueue
  readonly memory: ReplyMemory
  readonly saga: Saga | undefined
  readonly onStep: SagaHook | undefined
  /** Ends everything because of a mistake of ours. */
  crash(error: unknown): void
}

/** When the calls of a part give up. */
export interface Limits {
  readonly signal: AbortSignal
  /** A call of the part begins: its time runs from the first one. */
  begin(): void
  /** Gives up the calls of this part alone; only where a part makes several. */
  abort(reason: Error): void
}

/** A reply, with its age when it was remembered; or why there is none, with an old one that may stand in. */
export type Asked =
  | { readonly reply: Reply; readonly ageMs?: number }
  | { readonly failure: PartFailure; readonly stale?: Remembered | undefined }

/** What a part asks; a failure when a value it needs is not there. */
export function render({ call }: Part, scope: Scope): PartRequest | PartFailure {
  try {
    return call.render(scope)
  } catch (error) {
    if (error instanceof PartFailure) return error
    throw error
  }
}

/**
 * Asks for one reply: the remembered one, or as soon as the queue lets it. `done` runs once, before the place in the
 * queue is given back, so that what becomes ready then competes for it.
 */
export function ask(
  part: Part,
  request: PartRequest,
  { limits, round, done }: { readonly limits: Limits; readonly round: Round; readonly done: (asked: Asked) => void },
): void {
  const { exchange, clock, queue, memory } = round
  const { keeping } = part
  const key = keeping && memoryKey(part, request, exchange)
  const find = (maxAgeMs: number) => (key === undefined ? undefined : memory.find(key, maxAgeMs, clock.now()))
  const fresh = find(keeping?.freshMs ?? 0)
  if (fresh) done(fresh)
  else queue.add(part.rank, call)

  async function call(): Promise<void> {
    try {
      if (!limits.signal.aborted) limits.begin()
      done(remembered(await callPart(part, request, { exchange, signal: limits.signal })))
    } catch (error) {
      round.crash(error)
    }
  }

  function remembered(called: Called): Asked {
    if ('failure' in called) return { ...called, stale: find(keeping?.staleMs ?? 0) }
    if (keeping && key !== undefined) {
      memory.keep(key, called.reply, { isPersonal: keeping.isPersonal, nowMs: clock.now() })
    }
    return called
  }
}

/** Why a part whose time is up, or that nobody needs any more, has no reply; undefined when it may still ask. */
export function givenUp({ signal }: Limits): PartFailure | undefined {
  return signal.aborted ? toPartFailure(signal.reason, signal) : undefined
}
