import type { Breaker, BreakerOptions, BreakerState, Outcome, Permit } from '../../core/breaker.ts'
import type { Clock } from '../../core/clock.ts'
import { OpossumWindow, type Tally } from './opossum-window.ts'

/** A change of state, for the log and the metrics. */
export type Transition =
  | { readonly to: 'open'; readonly openForMs: number; readonly tally: Tally | undefined }
  | { readonly to: 'half-open' }
  | { readonly to: 'closed' }

export interface CircuitParts {
  readonly clock: Clock
  readonly random: () => number
  /** Hears of every change of state, after it has happened. */
  readonly report: (transition: Transition) => void
}

interface Probe {
  readonly expiresMs: number
}

/** A fresh object for every phase: a permit compares it by identity, so that a late outcome meets no other phase. */
type Phase =
  | { readonly name: 'closed' }
  | { readonly name: 'open'; readonly untilMs: number }
  | { readonly name: 'half-open'; readonly probes: Set<Probe>; succeeded: number }

const JITTER = 0.1

/** The circuit of one upstream: decides who may call, and changes state as calls finish. It needs no timers. */
export class Circuit implements Breaker {
  readonly #options: BreakerOptions
  readonly #parts: CircuitParts
  readonly #window: OpossumWindow
  #phase: Phase = { name: 'closed' }
  /** How often it has opened since it was last closed. */
  #openings = 0

  constructor(options: BreakerOptions, parts: CircuitParts) {
    this.#options = options
    this.#parts = parts
    this.#window = new OpossumWindow(options, parts.clock.now())
  }

  get state(): BreakerState {
    return this.#isDue() ? 'half-open' : this.#phase.name
  }

  get retryAfterMs(): number {
    const phase = this.#phase
    const nowMs = this.#parts.clock.now()
    if (phase.name === 'closed') return 0
    if (phase.name === 'open') return Math.max(0, phase.untilMs - nowMs)
    if (phase.probes.size < this.#options.probes) return 0
    const firstExpiryMs = Math.min(...[...phase.probes].map(({ expiresMs }) => expiresMs))
    // Probes mostly settle long before their lease ends, so the lease alone would send callers away for too long.
    return Math.min(Math.max(0, firstExpiryMs - nowMs), this.#options.openForMs)
  }

  admit(): Permit | undefined {
    if (this.#isDue()) this.#enter({ name: 'half-open', probes: new Set(), succeeded: 0 }, { to: 'half-open' })
    const phase = this.#phase
    if (phase.name === 'closed') return this.#admitCall(phase)
    if (phase.name === 'half-open') return this.#admitProbe(phase)
    return undefined
  }

  #isDue(): boolean {
    return this.#phase.name === 'open' && this.#parts.clock.now() >= this.#phase.untilMs
  }

  #admitCall(phase: Phase & { name: 'closed' }): Permit {
    let settled = false
    return {
      state: 'closed',
      settle: (outcome) => {
        if (settled || this.#phase !== phase) return
        settled = true
        if (outcome === 'neutral') return
        if (this.#window.record(outcome, this.#parts.clock.now())) this.#open(this.#window.tally)
      },
    }
  }

  #admitProbe(phase: Phase & { name: 'half-open' }): Permit | undefined {
    const nowMs = this.#parts.clock.now()
    for (const probe of phase.probes) if (nowMs >= probe.expiresMs) phase.probes.delete(probe)
    if (phase.probes.size >= this.#options.probes) return undefined
    const probe = { expiresMs: nowMs + this.#options.probeLeaseMs }
    phase.probes.add(probe)
    return {
      state: 'half-open',
      settle: (outcome) => {
        const isItsPlace = phase.probes.delete(probe)
        if (isItsPlace && this.#phase === phase) this.#judge(phase, outcome)
      },
    }
  }

  #judge(phase: Phase & { name: 'half-open' }, outcome: Outcome): void {
    if (outcome === 'success') phase.succeeded++
    if (outcome === 'failure') this.#open(undefined)
    else if (phase.succeeded >= this.#options.successes) this.#close()
  }

  #open(tally: Tally | undefined): void {
    const { openForMs, maximumOpenMs } = this.#options
    const grownMs = Math.min(openForMs * 2 ** this.#openings, maximumOpenMs)
    // Many gateways that lost the same upstream at once should not all come back to it at once.
    const jitteredMs = Math.round(grownMs * (1 + JITTER * (2 * this.#parts.random() - 1)))
    this.#openings++
    const untilMs = this.#parts.clock.now() + jitteredMs
    this.#enter({ name: 'open', untilMs }, { to: 'open', openForMs: jitteredMs, tally })
  }

  #close(): void {
    this.#openings = 0
    this.#window.clear(this.#parts.clock.now())
    this.#enter({ name: 'closed' }, { to: 'closed' })
  }

  #enter(phase: Phase, transition: Transition): void {
    this.#phase = phase
    this.#parts.report(transition)
  }
}
