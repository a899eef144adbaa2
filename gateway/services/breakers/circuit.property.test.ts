import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { breakerBench } from '../../../tests/support/breaker-conformance.ts'
import type { BreakerOptions, BreakerState, Outcome } from '../../core/breaker.ts'
import { createOpossumBreakers } from './opossum-breakers.ts'

const START_MS = 1_000_000
const BUCKETS = 10

interface Admission {
  readonly round: number
  readonly expiresMs: number
  /** Settled, or its place was given away. */
  over: boolean
}

/** The simplest thing that could be right: it remembers every call and works everything out anew each time. */
class ReferenceCircuit {
  nowMs = START_MS
  readonly #options: BreakerOptions
  #state: BreakerState = 'closed'
  /** Grows with every change of state. */
  #round = 0
  #untilMs = 0
  #openings = 0
  #succeeded = 0
  #calls: { readonly atMs: number; readonly failed: boolean }[] = []
  #admissions: Admission[] = []

  constructor(options: BreakerOptions) {
    this.#options = options
  }

  get state(): BreakerState {
    return this.#state === 'open' && this.nowMs >= this.#untilMs ? 'half-open' : this.#state
  }

  admit(): Admission | undefined {
    if (this.#state === 'open' && this.nowMs >= this.#untilMs) this.#become('half-open')
    if (this.#state === 'open') return undefined
    if (this.#state === 'half-open') {
      for (const probe of this.#running()) if (probe.expiresMs <= this.nowMs) probe.over = true
      if (this.#running().length >= this.#options.probes) return undefined
    }
    const admission = { round: this.#round, expiresMs: this.nowMs + this.#options.probeLeaseMs, over: false }
    this.#admissions.push(admission)
    return admission
  }

  settle(admission: Admission, outcome: Outcome): void {
    const counts = !admission.over && admission.round === this.#round
    admission.over = true
    if (!counts || outcome === 'neutral') return
    if (this.#state === 'closed') this.#count(outcome === 'failure')
    else if (outcome === 'failure') this.#open()
    else if (++this.#succeeded === this.#options.successes) this.#close()
  }

  #running(): Admission[] {
    return this.#admissions.filter(({ round, over }) => round === this.#round && !over)
  }

  #count(failed: boolean): void {
    this.#calls.push({ atMs: this.nowMs, failed })
    const slot = (atMs: number) => Math.floor((atMs * BUCKETS) / this.#options.windowMs)
    const recent = this.#calls.filter(({ atMs }) => slot(atMs) > slot(this.nowMs) - BUCKETS)
    const failures = recent.filter((call) => call.failed).length
    const enough = recent.length >= this.#options.minimumCalls
    // In whole percent, as generated below, so that no rounding can blur "at the rate".
    if (enough && failures > 0 && failures * 100 >= Math.round(this.#options.failureRate * 100) * recent.length)
      this.#open()
  }

  #open(): void {
    this.#untilMs = this.nowMs + Math.min(this.#options.openForMs * 2 ** this.#openings++, this.#options.maximumOpenMs)
    this.#become('open')
  }

  #close(): void {
    this.#openings = 0
    this.#calls = []
    this.#become('closed')
  }

  #become(state: BreakerState): void {
    this.#state = state
    this.#round++
    this.#succeeded = 0
  }
}

const options = fc.record({
  failureRate: fc.integer({ min: 1, max: 100 }).map((percent) => percent / 100),
  minimumCalls: fc.integer({ min: 1, max: 12 }),
  windowMs: fc.constantFrom(10, 1_000, 999),
  openForMs: fc.constantFrom(500, 2_000),
  maximumOpenMs: fc.constantFrom(2_000, 6_000),
  probes: fc.integer({ min: 1, max: 3 }),
  successes: fc.integer({ min: 1, max: 4 }),
  probeLeaseMs: fc.constantFrom(300, 3_000),
})

const outcome = fc.constantFrom<Outcome>('success', 'failure', 'failure', 'success', 'neutral')

const step = fc.oneof(
  fc.record({ kind: fc.constant('wait'), ms: fc.integer({ min: 0, max: 1_500 }) } as const),
  fc.record({ kind: fc.constant('begin') } as const),
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('settle'), index: fc.nat(30), outcome } as const) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('call'), outcome } as const) },
)

test('a circuit behaves like the reference whatever happens in whatever order', () => {
  const visited = new Set<BreakerState>()
  fc.assert(
    fc.property(options, fc.array(step, { minLength: 10, maxLength: 80 }), (rules, steps) => {
      const reference = new ReferenceCircuit(rules)
      const { breaker, advance } = breakerBench(createOpossumBreakers, rules)
      const begun: (readonly [ReturnType<typeof breaker.admit>, Admission | undefined])[] = []

      const begin = () => {
        const pair = [breaker.admit(), reference.admit()] as const
        expect(pair[0] === undefined).toBe(pair[1] === undefined)
        return pair
      }
      const settle = (pair: ReturnType<typeof begin> | undefined, result: Outcome) => {
        pair?.[0]?.settle(result)
        if (pair?.[1]) reference.settle(pair[1], result)
      }

      for (const action of steps) {
        if (action.kind === 'wait') {
          advance(action.ms)
          reference.nowMs += action.ms
        } else if (action.kind === 'begin') begun.push(begin())
        else if (action.kind === 'call') settle(begin(), action.outcome)
        else settle(begun[action.index], action.outcome)
        expect(breaker.state).toBe(reference.state)
        visited.add(breaker.state)
      }
    }),
    { numRuns: 400, seed: 20_260_101 },
  )
  expect([...visited].sort()).toEqual(['closed', 'half-open', 'open'])
})
