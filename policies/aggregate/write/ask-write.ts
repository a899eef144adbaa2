import type { Saga, WriteOutcome } from '../../../gateway/core/journal.ts'
import type { CallRecord } from '../../../gateway/core/record.ts'
import { extendScope } from '../../../gateway/core/scope.ts'
import { toPartFailure } from '../failure.ts'
import type { Part } from '../plan/part.ts'
import type { PartRequest } from '../plan/request.ts'
import type { Asking } from '../run/ask.ts'
import { type Called, CallRun } from '../run/call.ts'
import type { Task } from '../run/queue.ts'
import type { Write } from './write.ts'

export interface AskWrite {
  readonly write: Write
  readonly saga: Saga
  readonly request: PartRequest
}

/** Makes a write once its intent is durable, and goes on once its outcome is. */
export function askWrite(part: Part, writing: AskWrite, asking: Asking): void {
  asking.round.queue.add(new WriteTask(part, writing, asking))
}

class WriteTask implements Task {
  readonly rank: number
  readonly #part: Part
  readonly #writing: AskWrite
  readonly #asking: Asking

  constructor(part: Part, writing: AskWrite, asking: Asking) {
    this.rank = part.rank
    this.#part = part
    this.#writing = writing
    this.#asking = asking
  }

  async start(): Promise<void> {
    const { round } = this.#asking
    try {
      this.#asking.done(await this.#work())
    } catch (error) {
      round.crash(error)
    }
    round.queue.leave()
  }

  async #work(): Promise<Called> {
    const { name } = this.#part
    const { limits, round } = this.#asking
    const { write, saga, request } = this.#writing
    const { stop } = limits
    const { exchange, scope } = round
    if (stop.reason !== undefined) return { failure: toPartFailure(stop.reason, stop) }
    limits.begin()
    const keys = await saga.keysOf(name)
    try {
      await saga.intend(write.draft(request, { exchange, scope, keys }))
    } catch (error) {
      // Nothing was sent.
      return { failure: toPartFailure(error, stop) }
    }
    const call = new WriteCall(this.#part, round, stop)
    call.make({ ...request, fields: [...request.fields, ['idempotency-key', keys.write]] })
    await round.onStep?.('during-write')
    const called = await call.over
    const record = exchange.record.calls.findLast((each) => each.part === name)
    await saga.note(name, this.#judge(called, record))
    return called
  }

  #judge(called: Called, record: CallRecord | undefined): WriteOutcome {
    const { name, call } = this.#part
    const { write } = this.#writing
    const { scope } = this.#asking.round
    if ('reply' in called) {
      const { status, headers, body } = called.reply
      const own = { status, headers: Object.fromEntries(headers), body }
      const parts = Object.assign(Object.create(scope.parts as object), { [name]: own })
      return { kind: 'done', ofReply: write.ofReply(extendScope(scope, { parts })) }
    }
    const { failure } = called
    const status = record?.status
    const sent = record ? record.attempts - (record.unsent ?? 0) : 0
    if (sent === 0) return { kind: 'not-done' }
    const reason = failure.cause === undefined ? failure.reason : `${failure.reason}: ${failure.cause}`
    if (status === undefined) return { kind: 'unknown', reason }
    // It was done, and only its reply is of no use.
    if (call.success.includes(status) && !write.readsReply) return { kind: 'done', ofReply: {} }
    // Only the refusal of a single attempt is sure: an earlier one may have been done and its answer lost.
    if (status >= 400 && status < 500 && sent === 1) return { kind: 'not-done' }
    return { kind: 'unknown', reason: failure.reason === 'status' ? `status ${status}` : reason }
  }
}

class WriteCall extends CallRun {
  readonly #over = Promise.withResolvers<Called>()

  /** How it ended. Rejects when that was a mistake of ours. */
  get over(): Promise<Called> {
    return this.#over.promise
  }

  protected override ended(called: Called): void {
    this.#over.resolve(called)
  }

  protected override broke(error: unknown): void {
    this.#over.reject(error)
  }
}
