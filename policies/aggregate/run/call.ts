import type { Exchange } from '../../../gateway/core/exchange.ts'
import { type PartFailure, toPartFailure } from '../failure.ts'
import type { Part } from '../plan/part.ts'
import type { PartRequest } from '../plan/request.ts'
import { type Reply, readReply } from '../reply/read.ts'
import type { Stop, StopListener } from './stop.ts'

/** A reply, or why there is none. */
export type Called = { readonly reply: Reply } | { readonly failure: PartFailure }

export interface CallOptions {
  readonly exchange: Exchange
  /** Ends the call, even when the upstream ignores it. */
  readonly stop: Stop
  /** Told once how it ended; must not throw. */
  readonly done: (called: Called) => void
  /** Told instead when it ended by a mistake of ours. */
  readonly crash: (error: unknown) => void
}

/** Makes one call and reads its reply, as long as nobody stops it. */
export function callPart(part: Part, request: PartRequest, options: CallOptions): void {
  const { stop } = options
  const call = new PartCall(part, options)
  if (stop.signal.aborted) call.stopped(stop.signal.reason)
  else {
    stop.listen(call)
    call.make(request)
  }
}

class PartCall implements StopListener {
  readonly #part: Part
  readonly #options: CallOptions
  #isOver = false

  constructor(part: Part, options: CallOptions) {
    this.#part = part
    this.#options = options
  }

  async make({ method, path, fields, body }: PartRequest): Promise<void> {
    const { name, call } = this.#part
    const { exchange, stop } = this.#options
    const { signal } = stop
    try {
      const response = await call.upstream(exchange, {
        method,
        path,
        headers: fields,
        body: body === undefined ? null : new TextEncoder().encode(body),
        signal,
        part: name,
      })
      const reply = readReply(response, call, signal)
      this.#end({ reply: reply instanceof Promise ? await reply : reply })
    } catch (error) {
      this.stopped(error)
    }
  }

  stopped(error: unknown): void {
    if (this.#isOver) return
    try {
      this.#end({ failure: toPartFailure(error, this.#options.stop.signal) })
    } catch (mistake) {
      this.#isOver = true
      this.#options.crash(mistake)
    }
  }

  #end(called: Called): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#options.stop.unlisten(this)
    this.#options.done(called)
  }
}
