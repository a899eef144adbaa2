import type { StopListener, StopSource } from '../../../gateway/core/stop-source.ts'

/** Something that can be given up; what was made within it is given up with it, never the other way round. */
export class Stop implements StopSource {
  #reason: Error | undefined
  #controller: AbortController | undefined
  #inner: Set<Stop> | undefined
  /** Not the signal's own: to add and remove one there takes longer than most of what a call needs. */
  readonly #listeners = new Set<StopListener>()

  get reason(): Error | undefined {
    return this.#reason
  }

  /** Made when somebody asks for it, as it is dear. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#reason) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  abort(reason: Error): void {
    const stopped: Stop[] = []
    this.#mark(reason, stopped)
    // Only then: what a listener does at once, e.g. giving its place to another call, must find everything given up.
    for (const stop of stopped) for (const listener of stop.#listeners) listener.stopped(reason)
  }

  #mark(reason: Error, stopped: Stop[]): void {
    if (this.#reason) return
    this.#reason = reason
    this.#controller?.abort(reason)
    stopped.push(this)
    if (this.#inner) for (const inner of this.#inner) inner.#mark(reason, stopped)
  }

  /** Tells the listener when it is given up; `unlisten` when it no longer matters. */
  listen(listener: StopListener): void {
    this.#listeners.add(listener)
  }

  unlisten(listener: StopListener): void {
    this.#listeners.delete(listener)
  }

  /** One that can be given up alone. */
  within(): Stop {
    const inner = new Stop()
    if (this.#reason) inner.abort(this.#reason)
    else {
      this.#inner ??= new Set()
      this.#inner.add(inner)
    }
    return inner
  }

  /** `inner` has nothing left to give up. */
  forget(inner: Stop): void {
    this.#inner?.delete(inner)
  }
}

/** Why calls are cancelled that nobody needs any more; says nothing about their upstreams. */
export class Decided extends Error {
  override readonly name = 'Decided'

  constructor() {
    super('The answer is decided')
  }
}
