/** Told once, when what it waits for is given up; must not throw. */
export interface StopListener {
  stopped(reason: unknown): void
}

/** Something that may be given up; to listen to it costs a fraction of what it costs with an `AbortSignal`. */
export interface StopSource {
  /** Why it was given up; undefined as long as it is not. */
  readonly reason: unknown
  /** The same for those who know signals only. */
  readonly signal: AbortSignal
  /** Tells the listener when it is given up; `unlisten` when it no longer matters. One given up before tells nobody. */
  listen(listener: StopListener): void
  unlisten(listener: StopListener): void
}

/** Something that can be given up; what was made within it is given up with it, never the other way round. */
export class Stop implements StopSource {
  #reason: unknown
  #controller: AbortController | undefined
  #inner: Set<Stop> | undefined
  /** Not the signal's own: to add and remove one there takes longer than most of what a call needs. */
  readonly #listeners: (StopListener | undefined)[] = []
  #isTelling = false

  get reason(): unknown {
    return this.#reason
  }

  /** Made when somebody asks for it, as it is dear. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#reason !== undefined) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  abort(reason: unknown): void {
    const stopped: Stop[] = []
    this.#mark(reason, stopped)
    // Only then: what a listener does at once, e.g. giving its place to another call, must find everything given up.
    for (const stop of stopped) stop.#tell(reason)
  }

  #mark(reason: unknown, stopped: Stop[]): void {
    if (this.#reason !== undefined) return
    this.#reason = reason
    this.#controller?.abort(reason)
    stopped.push(this)
    if (this.#inner) for (const inner of this.#inner) inner.#mark(reason, stopped)
  }

  #tell(reason: unknown): void {
    this.#isTelling = true
    for (const listener of this.#listeners) if (listener) tell(listener, reason)
    this.#isTelling = false
  }

  listen(listener: StopListener): void {
    this.#listeners.push(listener)
  }

  /** There are few, so looking for one costs less than a set of them. */
  unlisten(listener: StopListener): void {
    const at = this.#listeners.indexOf(listener)
    if (at < 0) return
    if (this.#isTelling) this.#listeners[at] = undefined
    else this.#listeners.splice(at, 1)
  }

  /** One that can be given up alone. */
  within(): Stop {
    const inner = new Stop()
    if (this.#reason !== undefined) inner.abort(this.#reason)
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

/** What a signal ends, for those who listen to a `StopSource`. */
export function stopBy(signal: AbortSignal): StopSource {
  return new SignalStop(signal)
}

class SignalStop implements StopSource {
  readonly signal: AbortSignal
  readonly #listeners = new Set<StopListener>()

  constructor(signal: AbortSignal) {
    this.signal = signal
  }

  get reason(): unknown {
    return this.signal.aborted ? this.signal.reason : undefined
  }

  listen(listener: StopListener): void {
    if (this.#listeners.size === 0) this.signal.addEventListener('abort', this)
    this.#listeners.add(listener)
  }

  /** The signal may live on for long, and must not keep those who are done. */
  unlisten(listener: StopListener): void {
    if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.signal.removeEventListener('abort', this)
  }

  /** What a signal tells its listeners. */
  handleEvent(): void {
    for (const listener of this.#listeners) tell(listener, this.signal.reason)
  }
}

/** As a signal tells its listeners: one that throws all the same keeps nobody else from being told, nor whoever gave up. */
function tell(listener: StopListener, reason: unknown): void {
  try {
    listener.stopped(reason)
  } catch (mistake) {
    queueMicrotask(() => {
      throw mistake
    })
  }
}
