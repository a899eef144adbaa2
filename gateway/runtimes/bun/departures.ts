import type { Clock } from '../../core/clock.ts'
import type { Departure, DepartureListener } from '../../core/departure.ts'

/**
 * A client is watched once its request is so old, in milliseconds, or up to twice as old. Most are answered by then, and to
 * ask for the signal of a request is dear: Bun's collector looks at each that was ever listened to, however dead, in every
 * short pause until the next long one.
 */
const WATCHED_AFTER_MS = 25

/** Watches which clients leave. A signal that is asked for late knows that its client has left before. */
export class Departures {
  readonly #clock: Clock
  #young: LateWatch[] = []
  #older: LateWatch[] = []
  #isWaiting = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Whether the client of this request leaves. */
  of(request: Pick<Request, 'signal'>): Departure {
    return new LateWatch(request, this.#take)
  }

  readonly #take = (watch: LateWatch) => {
    this.#young.push(watch)
    if (!this.#isWaiting) this.#wait()
  }

  #wait(): void {
    this.#isWaiting = true
    this.#clock.after(WATCHED_AFTER_MS, this.#look)
  }

  readonly #look = () => {
    for (const watch of this.#older) watch.begin()
    this.#older = this.#young
    this.#young = []
    this.#isWaiting = false
    if (this.#older.length > 0) this.#wait()
  }
}

class LateWatch implements Departure {
  readonly #take: (watch: LateWatch) => void
  /** Undefined when it does not matter any more. */
  #request: Pick<Request, 'signal'> | undefined
  #listener: DepartureListener | undefined
  #signal: AbortSignal | undefined

  constructor(request: Pick<Request, 'signal'>, take: (watch: LateWatch) => void) {
    this.#request = request
    this.#take = take
  }

  get aborted(): boolean {
    return this.#signal?.aborted ?? false
  }

  addEventListener(_: 'abort', listener: DepartureListener): void {
    this.#listener = listener
    this.#take(this)
  }

  removeEventListener(): void {
    if (this.#listener) this.#signal?.removeEventListener('abort', this.#listener)
    // Nothing of the request is kept until the next look.
    this.#listener = undefined
    this.#request = undefined
  }

  begin(): void {
    if (!this.#listener || !this.#request) return
    this.#signal = this.#request.signal
    if (this.#signal.aborted) this.#listener.handleEvent()
    else this.#signal.addEventListener('abort', this.#listener, ONCE)
  }
}

const ONCE = { once: true } as const
