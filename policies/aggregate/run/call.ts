import type { UpstreamReader } from '../../../gateway/core/services.ts'
import type { StopListener } from '../../../gateway/core/stop-source.ts'
import { type PartFailure, toPartFailure } from '../failure.ts'
import type { Part } from '../plan/part.ts'
import type { PartRequest } from '../plan/request.ts'
import { type Reply, readReply } from '../reply/read.ts'
import type { Round } from './round.ts'
import type { Stop } from './stop.ts'

/** A reply, or why there is none. */
export type Called = { readonly reply: Reply } | { readonly failure: PartFailure }

/** One call and its reply, as long as nobody stops it; what becomes of them is for those who extend it. */
export abstract class CallRun implements StopListener {
  readonly part: Part
  readonly round: Round
  /** Ends the call, even when the upstream ignores it. */
  readonly #stop: Stop
  #isOver = false

  constructor(part: Part, round: Round, stop: Stop) {
    this.part = part
    this.round = round
    this.#stop = stop
  }

  /** Told once how it ended; must not throw. */
  protected abstract ended(called: Called): void

  /** Told instead when it ended by a mistake of ours. */
  protected abstract broke(error: unknown): void

  /** Makes the call, once. */
  make(request: PartRequest): void {
    if (this.#stop.reason) {
      this.stopped(this.#stop.reason)
      return
    }
    this.#stop.listen(this)
    this.#ask(request)
  }

  async #ask(request: PartRequest): Promise<void> {
    try {
      const reply = readReply(await this.#send(request), this.part.call, this.#stop)
      this.#end({ reply: reply instanceof Promise ? await reply : reply })
    } catch (error) {
      this.stopped(error)
    }
  }

  #send({ method, path, fields, body }: PartRequest): ReturnType<UpstreamReader> {
    const { name, call } = this.part
    return call.upstream(this.round.exchange, {
      method,
      path,
      headers: fields,
      body: body === undefined ? null : new TextEncoder().encode(body),
      stop: this.#stop,
      part: name,
    })
  }

  stopped(error: unknown): void {
    if (this.#isOver) return
    try {
      this.#end({ failure: toPartFailure(error, this.#stop) })
    } catch (mistake) {
      this.#isOver = true
      this.broke(mistake)
    }
  }

  #end(called: Called): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#stop.unlisten(this)
    this.ended(called)
  }
}
