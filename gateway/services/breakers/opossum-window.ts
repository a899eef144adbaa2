import CircuitBreaker from 'opossum'

export interface WindowOptions {
  /** Share of failed calls, 0..1, at or above which the window trips. */
  readonly failureRate: number
  readonly minimumCalls: number
  readonly windowMs: number
}

export interface Tally {
  readonly calls: number
  readonly failureRate: number
}

type Emitter = NonNullable<CircuitBreaker.Options['rotateBucketController']>

const BUCKETS = 10

/** Opossum trips strictly above its percentage, we at it; far wider than rounding errors, far narrower than one call. */
const RATE_MARGIN_PERCENT = 1e-12

const FAILURE = new Error('The call failed')

/**
 * Opossum's rolling statistics and trip decision, and nothing else of it: no timers, no half-open state, no
 * rejections. It hears only of finished calls, and has counted and decided when `record` returns.
 */
export class OpossumWindow {
  readonly #engine: CircuitBreaker<[failed: boolean], void>
  readonly #options: WindowOptions
  readonly #thresholdPercent: number
  #rotate: () => void = () => {}
  #bucket: number
  #failedMs = Number.NEGATIVE_INFINITY

  constructor(options: WindowOptions, nowMs: number) {
    this.#options = options
    this.#thresholdPercent = options.failureRate * 100 - RATE_MARGIN_PERCENT
    this.#bucket = this.#bucketAt(nowMs)
    this.#engine = new CircuitBreaker(settled, {
      timeout: false,
      volumeThreshold: options.minimumCalls,
      errorThresholdPercentage: this.#thresholdPercent,
      rollingCountTimeout: options.windowMs,
      rollingCountBuckets: BUCKETS,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      rotateBucketController: this.#rotor(),
    })
    // Opossum's reset timer hangs on this event; when to try again is the circuit's business.
    this.#engine.removeAllListeners('open')
  }

  /** Counts one finished call; true when the failure rate is now too high. */
  record(outcome: 'success' | 'failure', nowMs: number): boolean {
    this.#advance(nowMs)
    if (outcome === 'failure') this.#failedMs = nowMs
    this.#engine.fire(outcome === 'failure').catch(ignore)
    this.#forgetLatencies()
    if (outcome === 'success' && this.#failedRecently(nowMs) && this.#tooHigh()) this.#engine.open()
    return this.#engine.opened
  }

  get tally(): Tally {
    let calls = 0
    let failures = 0
    // Opossum's own sum works out percentiles too, at ten times the cost.
    for (const bucket of this.#engine.status.window) {
      calls += bucket.fires
      failures += bucket.failures
    }
    return { calls, failureRate: calls === 0 ? 0 : failures / calls }
  }

  /** Forgets every call, as after a recovery. */
  clear(nowMs: number): void {
    for (let i = 0; i < BUCKETS; i++) this.#rotate()
    this.#bucket = this.#bucketAt(nowMs)
    this.#failedMs = Number.NEGATIVE_INFINITY
    this.#engine.close()
  }

  /** Opossum looks at the rate only when a call fails; the call that completes the volume may be a success. */
  #tooHigh(): boolean {
    const { calls, failureRate } = this.tally
    return calls >= this.#options.minimumCalls && failureRate * 100 > this.#thresholdPercent
  }

  /** Summing the buckets costs more than all the rest, and a healthy upstream never needs it. */
  #failedRecently(nowMs: number): boolean {
    return nowMs - this.#failedMs <= this.#options.windowMs
  }

  #bucketAt(nowMs: number): number {
    return Math.floor((nowMs * BUCKETS) / this.#options.windowMs)
  }

  #advance(nowMs: number): void {
    const bucket = this.#bucketAt(nowMs)
    // A clock that was set back stays in its bucket until it has caught up.
    if (bucket <= this.#bucket) return
    for (let i = Math.min(bucket - this.#bucket, BUCKETS); i > 0; i--) this.#rotate()
    this.#bucket = bucket
  }

  /** One number a call would pile up for the length of the window, and nobody reads them. */
  #forgetLatencies(): void {
    const [current] = this.#engine.status.window
    if (current) current.latencyTimes.length = 0
  }

  /** The part of an event emitter that opossum's statistics use, so that the buckets turn when we say. */
  #rotor(): Emitter {
    const rotor: Pick<Emitter, 'on' | 'removeListener' | 'listenerCount'> = {
      on: (_event, rotate) => {
        this.#rotate = rotate as () => void
        return rotor as Emitter
      },
      removeListener: () => rotor as Emitter,
      listenerCount: () => 0,
    }
    return rotor as Emitter
  }
}

/**
 * The action opossum runs: an outcome that is already known. Opossum counts the call when it is fired and a throw
 * before `fire` returns; that a success arrives a microtask later changes no number we read.
 */
function settled(failed: boolean): Promise<void> {
  if (failed) throw FAILURE
  return Promise.resolve()
}

function ignore(): void {}
