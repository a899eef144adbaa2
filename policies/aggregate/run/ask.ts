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
import type { Stop } from './stop.ts'

/** What the calls of one request share. */
export interface Round {
  readonly exchange: Exchange
  readonly clock: Clock
  readonly queue: CallQueue
  readonly memory: ReplyMemory
  readonly saga: Saga | undefined
  readonly onStep: SagaHook | undefined
  /** Of calls that nothing but the whole composition ends. */
  readonly untimed: Limits
  /** Ends everything because of a mistake of ours. */
  crash(error: unknown): void
}

/** When the calls of a part give up. */
export interface Limits {
  readonly stop: Stop
  /** A call of the part begins: its time runs from the first one. */
  begin(): void
  /** Gives up the calls of this part alone; only where a part makes several. */
  abort(reason: Error): void
  /** The part is settled. */
  release(): void
}

/** Those of calls that nothing but `stop` ends. */
export function untimed(stop: Stop): Limits {
  return { stop, begin: nothing, abort: nothing, release: nothing }
}

function nothing(): void {}

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
  const { keeping } = part
  const key = keeping && memoryKey(part, request, round.exchange)
  const fresh = keeping && find(key, keeping.freshMs, round)
  if (fresh) {
    done(fresh)
    return
  }
  round.queue.add(part.rank, (leave) => {
    const end = (called: Called) => {
      try {
        done(keeping ? remembered(called, { part, key, round }) : called)
      } catch (error) {
        round.crash(error)
      }
      leave()
    }
    if (!limits.stop.signal.aborted) limits.begin()
    callPart(part, request, { exchange: round.exchange, stop: limits.stop, done: end, crash: round.crash })
  })
}

function find(key: string | undefined, maxAgeMs: number, { memory, clock }: Round): Remembered | undefined {
  return key === undefined ? undefined : memory.find(key, maxAgeMs, clock.now())
}

interface Keeping {
  readonly part: Part
  readonly key: string | undefined
  readonly round: Round
}

/** Keeps a reply for the calls that come after; an old one may stand in for one that failed. */
function remembered(called: Called, { part: { keeping }, key, round }: Keeping): Asked {
  if ('failure' in called) return { ...called, stale: find(key, keeping?.staleMs ?? 0, round) }
  if (keeping && key !== undefined) {
    round.memory.keep(key, called.reply, { isPersonal: keeping.isPersonal, nowMs: round.clock.now() })
  }
  return called
}

/** Why a part whose time is up, or that nobody needs any more, has no reply; undefined when it may still ask. */
export function givenUp({ stop: { signal } }: Limits): PartFailure | undefined {
  return signal.aborted ? toPartFailure(signal.reason, signal) : undefined
}
