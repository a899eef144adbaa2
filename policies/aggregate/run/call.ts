import type { Reply as Received } from '../../../gateway/core/read-reply.ts'
import type { Receiver } from '../../../gateway/core/receiver.ts'
import type { UpstreamRequest } from '../../../gateway/core/services.ts'
import type { Stop, StopListener } from '../../../gateway/core/stop.ts'
import { type PartFailure, toPartFailure } from '../failure.ts'
import type { Part } from '../plan/part.ts'
import type { PartRequest } from '../plan/request.ts'
import { type Reply, readReply } from '../reply/read.ts'
import type { Round } from './round.ts'

/** A reply, or why there is none. */
export type Called = { readonly reply: Reply } | { readonly failure: PartFailure }

/** One call and its reply, as long as nobody stops it; what becomes of them is for those who extend it. */
export abstract class CallRun implements Receiver, StopListener {
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
    const stop = this.#stop
    if (stop.reason !== undefined) {
      this.stopped(stop.reason)
      return
    }
    stop.listen(this)
    try {
      this.#send(request)
    } catch (error) {
      this.stopped(error)
    }
  }

  #send({ method, path, fields, body }: PartRequest): void {
    const { name, call } = this.part
    const request: UpstreamRequest = {
      method,
      path,
      headers: fields,
      body: body === undefined ? null : new TextEncoder().encode(body),
      stop: this.#stop,
      part: name,
    }
    call.upstream(this.round.exchange, request, this)
  }

  replied(received: Received): void {
    try {
      const reply = readReply(received, this.part.call, this.#stop)
      if (reply instanceof Promise) this.#readLater(reply)
      else this.#end({ reply })
    } catch (error) {
      this.stopped(error)
    }
  }

  async #readLater(reading: Promise<Reply>): Promise<void> {
    try {
      this.#end({ reply: await reading })
    } catch (error) {
      this.stopped(error)
    }
  }

  failed(error: unknown): void {
    this.stopped(error)
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
