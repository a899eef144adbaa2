import { describe, expect, test } from 'bun:test'
import type { Breaker, BreakerOptions, BreakerState, Breakers, Outcome, Permit } from '../../gateway/core/breaker.ts'
import type { Clock } from '../../gateway/core/clock.ts'
import type { Logger, Metrics } from '../../gateway/core/telemetry.ts'
import { recordTelemetry } from './recorded-telemetry.ts'

export interface BreakerParts {
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
  readonly metrics: Metrics
}

/** Half of at least four calls within a second opens for a second; two of at most two probes at once close. */
export const SMALL: BreakerOptions = {
  failureRate: 0.5,
  minimumCalls: 4,
  windowMs: 1_000,
  openForMs: 1_000,
  maximumOpenMs: 4_000,
  probes: 2,
  successes: 2,
  probeLeaseMs: 5_000,
}

/** A breaker on a clock without appointments, so that any timer it asks for fails the test. */
export function breakerBench(create: (parts: BreakerParts) => Breakers, options: BreakerOptions = SMALL) {
  let nowMs = 1_000_000
  const telemetry = recordTelemetry()
  const clock: Clock = {
    now: () => nowMs,
    monotonic: () => nowMs,
    after() {
      throw new Error('A breaker must not need timers')
    },
  }
  // 0.5 is the middle of the jitter: open times are exact.
  const { log, metrics } = telemetry
  const breakers = create({ clock, random: () => 0.5, log, metrics })
  return {
    breakers,
    breaker: breakers.get('catalog', options),
    telemetry,
    advance(ms: number) {
      nowMs += ms
    },
  }
}

/**
 * What happens, in order: a number moves the clock; `succeed`, `fail` and `ignore` are whole calls; `ask` begins a
 * call and `:<n> <outcome>` settles the n-th begun; `refused` is a call that must not be admitted.
 */
type Step = number | 'succeed' | 'fail' | 'ignore' | 'ask' | 'refused' | `:${number} ${Outcome}`

interface Scenario {
  readonly name: string
  readonly steps: readonly Step[]
  readonly ends: BreakerState
}

const opened: readonly Step[] = ['fail', 'fail', 'fail', 'fail']
const halfOpened: readonly Step[] = [...opened, 1_000]

const scenarios: readonly Scenario[] = [
  { name: 'is closed at first', steps: [], ends: 'closed' },
  { name: 'stays closed below the minimum of calls', steps: ['fail', 'fail', 'fail'], ends: 'closed' },
  { name: 'stays closed below the rate', steps: ['succeed', 'succeed', 'succeed', 'fail'], ends: 'closed' },
  { name: 'opens exactly at the rate', steps: ['succeed', 'succeed', 'fail', 'fail'], ends: 'open' },
  { name: 'opens when a success completes the minimum', steps: ['fail', 'fail', 'succeed', 'succeed'], ends: 'open' },
  { name: 'does not count neutral calls', steps: ['fail', 'fail', 'fail', 'ignore', 'ignore'], ends: 'closed' },
  {
    name: 'does not count calls that are still running',
    steps: ['fail', 'fail', 'fail', 'ask', 'ask'],
    ends: 'closed',
  },
  { name: 'forgets what is older than the window', steps: ['fail', 'fail', 'fail', 1_100, 'fail'], ends: 'closed' },
  { name: 'remembers what is within the window', steps: ['fail', 'fail', 'fail', 800, 'fail'], ends: 'open' },
  {
    name: 'opens when old successes leave the window and only failures stay',
    steps: ['succeed', 'succeed', 'succeed', 'succeed', 'succeed', 500, 'fail', 'fail', 'fail', 600, 'succeed'],
    ends: 'open',
  },
  { name: 'refuses while open', steps: [...opened, 999, 'refused'], ends: 'open' },
  { name: 'is half-open once the time is up', steps: [...opened, 1_000], ends: 'half-open' },
  {
    name: 'admits as many probes at once as allowed',
    steps: [...halfOpened, 'ask', 'ask', 'refused'],
    ends: 'half-open',
  },
  { name: 'needs every success it was promised', steps: [...halfOpened, 'succeed'], ends: 'half-open' },
  { name: 'closes after enough successful probes', steps: [...halfOpened, 'succeed', 'succeed'], ends: 'closed' },
  { name: 'opens again after one failed probe', steps: [...halfOpened, 'succeed', 'fail', 'refused'], ends: 'open' },
  {
    name: 'starts with an empty window after closing',
    steps: [...halfOpened, 'succeed', 'succeed', 'fail', 'fail', 'fail'],
    ends: 'closed',
  },
  { name: 'stays open twice as long the second time', steps: [...halfOpened, 'fail', 1_999, 'refused'], ends: 'open' },
  { name: 'probes again after the doubled time', steps: [...halfOpened, 'fail', 2_000, 'ask'], ends: 'half-open' },
  {
    name: 'never stays open longer than the maximum',
    steps: [...halfOpened, 'fail', 2_000, 'fail', 4_000, 'fail', 4_000, 'ask'],
    ends: 'half-open',
  },
  {
    name: 'forgets the growth once it has been closed',
    steps: [...halfOpened, 'fail', 2_000, 'succeed', 'succeed', ...opened, 1_000, 'ask'],
    ends: 'half-open',
  },
  {
    name: 'ignores an outcome of the closed phase while open',
    steps: ['ask', ...opened, ':1 failure', ':1 success', 999],
    ends: 'open',
  },
  {
    name: 'ignores an outcome of the closed phase after it closed anew',
    steps: ['ask', ...halfOpened, 'succeed', 'succeed', 'fail', 'fail', 'fail', ':1 failure'],
    ends: 'closed',
  },
  {
    name: 'ignores the second probe of a round that the first has ended',
    steps: [...halfOpened, 'ask', 'ask', ':1 failure', 2_000, 'succeed', ':2 failure'],
    ends: 'half-open',
  },
  {
    name: 'takes a permit’s first outcome only',
    steps: ['ask', ':1 failure', ':1 failure', ':1 failure', ':1 failure'],
    ends: 'closed',
  },
  { name: 'counts a probe once', steps: [...halfOpened, 'ask', ':1 success', ':1 success'], ends: 'half-open' },
  {
    name: 'gives the place of a neutral probe to another',
    steps: [...halfOpened, 'ask', 'ask', 'refused', ':1 neutral', 'ask', 'refused'],
    ends: 'half-open',
  },
  {
    name: 'gives the place of an expired probe to another',
    steps: [...halfOpened, 'ask', 'ask', 4_999, 'refused', 1, 'ask', 'ask', 'refused'],
    ends: 'half-open',
  },
  {
    name: 'does not hear a probe whose place was given away',
    steps: [...halfOpened, 'ask', 'ask', 5_000, 'ask', 'ask', ':1 failure', ':2 success', ':3 success'],
    ends: 'half-open',
  },
]

const WHOLE_CALLS: Readonly<Record<string, Outcome>> = { succeed: 'success', fail: 'failure', ignore: 'neutral' }

function replay(breaker: Breaker, steps: readonly Step[], advance: (ms: number) => void): void {
  const begun: (Permit | undefined)[] = []
  const admitted = (): Permit => {
    const permit = breaker.admit()
    if (!permit) throw new Error('The scenario expects to be admitted')
    return permit
  }
  for (const step of steps) {
    if (typeof step === 'number') advance(step)
    else if (step === 'ask') begun.push(admitted())
    else if (step === 'refused') expect(breaker.admit()).toBeUndefined()
    else if (step.startsWith(':')) {
      const [index, outcome] = step.slice(1).split(' ')
      begun[Number(index) - 1]?.settle(outcome as Outcome)
    } else admitted().settle(WHOLE_CALLS[step] ?? 'neutral')
  }
}

/** The behaviour every implementation of `Breakers` owes its callers. */
export function testBreakers(name: string, create: (parts: BreakerParts) => Breakers): void {
  describe(`${name} as breakers`, () => {
    test.each([...scenarios])('$name', ({ steps, ends }) => {
      const { breaker, advance } = breakerBench(create)
      replay(breaker, steps, advance)
      expect(breaker.state).toBe(ends)
    })

    test('give the same name the same breaker', () => {
      const { breakers, breaker } = breakerBench(create)
      expect(breakers.get('catalog', { ...SMALL })).toBe(breaker)
      expect(breakers.get('pricing', SMALL)).not.toBe(breaker)
    })

    test('do not judge calls by the options of another configuration', () => {
      const { breakers, breaker, advance } = breakerBench(create)
      replay(breaker, opened, advance)
      expect(breakers.get('catalog', { ...SMALL, minimumCalls: 5 }).state).toBe('closed')
    })

    test('tell how long callers should stay away', () => {
      const { breaker, advance } = breakerBench(create)
      expect(breaker.retryAfterMs).toBe(0)
      replay(breaker, [...opened, 400], advance)
      expect(breaker.retryAfterMs).toBe(600)
      replay(breaker, [600], advance)
      expect(breaker.retryAfterMs).toBe(0)
      replay(breaker, ['ask', 'ask'], advance)
      expect(breaker.retryAfterMs).toBe(SMALL.openForMs)
      replay(breaker, [4_900], advance)
      expect(breaker.retryAfterMs).toBe(100)
    })

    test('say on the permit which state admitted the call', () => {
      const { breaker, advance } = breakerBench(create)
      expect(breaker.admit()?.state).toBe('closed')
      replay(breaker, halfOpened, advance)
      expect(breaker.admit()?.state).toBe('half-open')
    })
  })
}
