import type { Scope } from '../../../gateway/core/scope.ts'
import { PartFailure } from '../failure.ts'
import type { Part } from '../plan/part.ts'
import type { PartRequest } from '../plan/request.ts'
import type { Reply } from '../reply/read.ts'
import { type Called, CallRun } from './call.ts'
import type { Limits } from './limits.ts'
import { memoryKey, type Remembered } from './memory.ts'
import type { Task } from './queue.ts'
import type { Round } from './round.ts'

/** A reply, with its age when it was remembered; or why there is none, with an old one that may stand in. */
export type Asked =
  | { readonly reply: Reply; readonly ageMs?: number }
  | { readonly failure: PartFailure; readonly stale?: Remembered | undefined }

/** Who asks. */
export interface Asking {
  readonly limits: Limits
  readonly round: Round
  /** Told once, before the place in the queue is given back, so that what becomes ready then competes for it. */
  done(asked: Asked): void
}

/** What a part asks; a failure when a value it needs is not there. */
export function render({ call }: Part, scope: Scope): PartRequest | PartFailure {
  try {
    return call.render(scope)
  } catch (error) {
    if (error instanceof PartFailure) return error
    throw error
  }
}

/** Asks for one reply: the remembered one, or as soon as the queue lets it. */
export function ask(part: Part, request: PartRequest, asking: Asking): void {
  const call = new Ask(part, request, asking)
  const fresh = call.fresh()
  if (fresh) asking.done(fresh)
  else asking.round.queue.add(call)
}

class Ask extends CallRun implements Task {
  readonly #request: PartRequest
  readonly #asking: Asking
  /** What its reply is remembered by; undefined when it is not. */
  readonly #key: string | undefined

  constructor(part: Part, request: PartRequest, asking: Asking) {
    super(part, asking.round, asking.limits.stop)
    this.#request = request
    this.#asking = asking
    this.#key = part.keeping && memoryKey(part, request, asking.round.exchange)
  }

  /** The reply to such a call that is remembered and may be used instead. */
  fresh(): Remembered | undefined {
    return this.#find(this.part.keeping?.freshMs)
  }

  #find(maxAgeMs = 0): Remembered | undefined {
    const { memory, clock } = this.round
    return this.#key === undefined ? undefined : memory.find(this.#key, maxAgeMs, clock.now())
  }

  get rank(): number {
    return this.part.rank
  }

  start(): void {
    const { limits } = this.#asking
    if (limits.stop.reason === undefined) limits.begin()
    this.make(this.#request)
  }

  protected override ended(called: Called): void {
    try {
      this.#asking.done(this.part.keeping ? this.#remembered(called) : called)
    } catch (error) {
      this.broke(error)
    }
    this.round.queue.leave()
  }

  protected override broke(error: unknown): void {
    this.round.crash(error)
  }

  /** Keeps a reply for the calls that come after; an old one may stand in for one that failed. */
  #remembered(called: Called): Asked {
    const { keeping } = this.part
    if ('failure' in called) return { ...called, stale: this.#find(keeping?.staleMs) }
    if (keeping && this.#key !== undefined) {
      const { memory, clock } = this.round
      memory.keep(this.#key, called.reply, { isPersonal: keeping.isPersonal, nowMs: clock.now() })
    }
    return called
  }
}
