import type { Saga, WriteOutcome } from '../../../gateway/core/journal.ts'
import type { CallRecord } from '../../../gateway/core/record.ts'
import { extendScope, type Scope } from '../../../gateway/core/scope.ts'
import { toPartFailure } from '../failure.ts'
import type { Part } from '../plan/part.ts'
import type { PartRequest } from '../plan/request.ts'
import type { Asked, Limits, Round } from '../run/ask.ts'
import { type Called, callPart } from '../run/call.ts'
import type { Write } from './write.ts'

export interface AskWrite {
  readonly scope: Scope
  readonly limits: Limits
  readonly round: Round
  readonly saga: Saga
  readonly done: (asked: Asked) => void
}

/**
 * Makes a write once its intent is durable, and goes on once its outcome is. `done` runs once, before the place in the
 * queue is given back.
 */
export function askWrite(part: Part, write: Write, request: PartRequest, { done, round, ...asking }: AskWrite): void {
  const { limits, saga, scope } = asking
  const { exchange } = round
  round.queue.add(part.rank, async (leave) => {
    try {
      done(await work())
    } catch (error) {
      round.crash(error)
    }
    leave()
  })

  async function work(): Promise<Called> {
    const { stop } = limits
    if (stop.signal.aborted) return { failure: toPartFailure(stop.signal.reason, stop.signal) }
    limits.begin()
    const keys = await saga.keysOf(part.name)
    try {
      await saga.intend(write.draft(request, { exchange, scope, keys }))
    } catch (error) {
      // Nothing was sent.
      return { failure: toPartFailure(error, stop.signal) }
    }
    const fields = [...request.fields, ['idempotency-key', keys.write] as const]
    const calling = new Promise<Called>((done, crash) => {
      callPart(part, { ...request, fields }, { exchange, stop, done, crash })
    })
    await round.onStep?.('during-write')
    const called = await calling
    const call = exchange.record.calls.findLast((each) => each.part === part.name)
    await saga.note(part.name, judge(called, call))
    return called
  }

  function judge(called: Called, call: CallRecord | undefined): WriteOutcome {
    if ('reply' in called) {
      const { status, headers, body } = called.reply
      const own = { status, headers: Object.fromEntries(headers), body }
      const parts = Object.assign(Object.create(scope.parts as object), { [part.name]: own })
      return { kind: 'done', ofReply: write.ofReply(extendScope(scope, { parts })) }
    }
    const { failure } = called
    const status = call?.status
    const sent = call ? call.attempts - (call.unsent ?? 0) : 0
    if (sent === 0) return { kind: 'not-done' }
    const reason = failure.cause === undefined ? failure.reason : `${failure.reason}: ${failure.cause}`
    if (status === undefined) return { kind: 'unknown', reason }
    // It was done, and only its reply is of no use.
    if (part.call.success.includes(status) && !write.readsReply) return { kind: 'done', ofReply: {} }
    // Only the refusal of a single attempt is sure: an earlier one may have been done and its answer lost.
    if (status >= 400 && status < 500 && sent === 1) return { kind: 'not-done' }
    return { kind: 'unknown', reason: failure.reason === 'status' ? `status ${status}` : reason }
  }
}
