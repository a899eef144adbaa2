/** A signal to give up; what was made within it gives up with it, never the other way round. */
export class Stop {
  readonly #controller = new AbortController()
  readonly #inner = new Set<Stop>()

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  abort(reason: Error): void {
    if (this.signal.aborted) return
    this.#controller.abort(reason)
    for (const inner of this.#inner) inner.abort(reason)
  }

  /** One that can be given up alone. */
  within(): Stop {
    const inner = new Stop()
    if (this.signal.aborted) inner.abort(this.signal.reason)
    else this.#inner.add(inner)
    return inner
  }

  /** `inner` has nothing left to give up. */
  forget(inner: Stop): void {
    this.#inner.delete(inner)
  }
}

/** Why calls are cancelled that nobody needs any more; says nothing about their upstreams. */
export class Decided extends Error {
  override readonly name = 'Decided'

  constructor() {
    super('The answer is decided')
  }
}
