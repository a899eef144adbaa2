import { describe, expect, test } from 'bun:test'
import { breakerBench, SMALL, testBreakers } from '../../../tests/support/breaker-conformance.ts'
import { createOpossumBreakers } from './opossum-breakers.ts'

testBreakers('opossum-breakers', createOpossumBreakers)

const bench = (options = SMALL) => breakerBench(createOpossumBreakers, options)

function fail({ breaker }: ReturnType<typeof bench>, times: number): void {
  for (let i = 0; i < times; i++) breaker.admit()?.settle('failure')
}

describe('what opossum gets wrong does not reach the caller:', () => {
  test('1. many calls at once are no failures', () => {
    const { breaker } = bench()
    const permits = Array.from({ length: 100 }, () => breaker.admit())
    expect(permits.every((permit) => permit?.state === 'closed')).toBe(true)
    for (const permit of permits) permit?.settle('success')
    expect(breaker.state).toBe('closed')
  })

  test('2. a success that began before the opening does not close a half-open circuit', () => {
    const slow = bench()
    const early = [slow.breaker.admit(), slow.breaker.admit()]
    fail(slow, 4)
    slow.advance(1_000)
    const probe = slow.breaker.admit()
    for (const permit of early) permit?.settle('success')
    expect(probe?.state).toBe('half-open')
    expect(slow.breaker.state).toBe('half-open')
  })

  test('3. a permit carries no signal that an earlier timeout could have aborted', () => {
    const late = bench()
    fail(late, 1)
    expect(Object.keys(late.breaker.admit() ?? {}).sort()).toEqual(['settle', 'state'])
  })

  test('4. neutral probes do not close a half-open circuit', () => {
    const half = bench()
    fail(half, 4)
    half.advance(1_000)
    for (let i = 0; i < 10; i++) half.breaker.admit()?.settle('neutral')
    expect(half.breaker.state).toBe('half-open')
  })

  test('5. refused calls do not dilute the failure rate', () => {
    const refusing = bench()
    fail(refusing, 4)
    for (let i = 0; i < 100; i++) expect(refusing.breaker.admit()).toBeUndefined()
    expect(refusing.telemetry.lines).toEqual([
      {
        level: 'warn',
        message: 'circuit opened',
        facts: { breaker: 'catalog', openForMs: 1_000, failureRate: 1, calls: 4 },
      },
    ])
    refusing.advance(1_000)
    refusing.breaker.admit()?.settle('success')
    refusing.breaker.admit()?.settle('success')
    fail(refusing, 4)
    expect(refusing.telemetry.lines.at(-1)?.facts).toMatchObject({ failureRate: 1, calls: 4 })
  })

  test('6. the first failure does not open', () => {
    const fresh = bench()
    fail(fresh, 1)
    expect(fresh.breaker.state).toBe('closed')
  })

  test('7. a hung probe does not keep the circuit half-open for ever', () => {
    const hung = bench({ ...SMALL, probes: 1, successes: 1 })
    fail(hung, 4)
    hung.advance(1_000)
    expect(hung.breaker.admit()).toBeDefined()
    expect(hung.breaker.admit()).toBeUndefined()
    hung.advance(SMALL.probeLeaseMs)
    hung.breaker.admit()?.settle('success')
    expect(hung.breaker.state).toBe('closed')
  })

  test('8. no timer is ever set, of the clock or of the runtime', () => {
    const set = trackTimers(() => {
      const quiet = bench()
      fail(quiet, 4)
      quiet.advance(1_000)
      fail(quiet, 1)
      quiet.advance(2_000)
      quiet.breaker.admit()?.settle('success')
      quiet.breaker.admit()?.settle('success')
      expect(quiet.breaker.state).toBe('closed')
    })
    expect(set).toEqual([])
  })
})

/** The names of the runtime's timer functions that `work` called. */
function trackTimers(work: () => void): readonly string[] {
  const called: string[] = []
  const { setTimeout, setInterval } = globalThis
  globalThis.setTimeout = ((...args: Parameters<typeof setTimeout>) => {
    called.push('setTimeout')
    return setTimeout(...args)
  }) as typeof setTimeout
  globalThis.setInterval = ((...args: Parameters<typeof setInterval>) => {
    called.push('setInterval')
    return setInterval(...args)
  }) as typeof setInterval
  try {
    work()
  } finally {
    Object.assign(globalThis, { setTimeout, setInterval })
  }
  return called
}

describe('opossum-breakers', () => {
  test('count and log every change of state', () => {
    const counted: unknown[] = []
    const { breaker, advance, telemetry } = breakerBench((parts) =>
      createOpossumBreakers({
        ...parts,
        metrics: {
          count: (name, labels) => counted.push([name, labels]),
          gauge: (name, value, labels) => counted.push([name, value, labels]),
          observe: () => {},
        },
      }),
    )
    for (let i = 0; i < 4; i++) breaker.admit()?.settle('failure')
    advance(1_000)
    breaker.admit()?.settle('failure')
    advance(2_000)
    breaker.admit()?.settle('success')
    breaker.admit()?.settle('success')

    const gauge = (value: number) => ['sluice_breaker_state', value, { breaker: 'catalog' }]
    const change = (to: string) => ['sluice_breaker_transitions_total', { breaker: 'catalog', to }]
    expect(counted).toEqual([
      gauge(0),
      ...[change('open'), gauge(2), change('half-open'), gauge(1)],
      ...[change('open'), gauge(2), change('half-open'), gauge(1)],
      ...[change('closed'), gauge(0)],
    ])
    expect(telemetry.lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
      'warn circuit opened',
      'info circuit half-open',
      'warn circuit opened',
      'info circuit half-open',
      'info circuit closed',
    ])
    expect(telemetry.lines[2]?.facts).toEqual({ breaker: 'catalog', openForMs: 2_000, reason: 'a probe failed' })
  })

  test.each([
    { name: 'the shortest', random: 0, openForMs: 900 },
    { name: 'the longest', random: 0.999_999, openForMs: 1_100 },
  ])('vary the open time by a tenth: $name', ({ random, openForMs }) => {
    const { breaker } = breakerBench((parts) => createOpossumBreakers({ ...parts, random: () => random }))
    for (let i = 0; i < 4; i++) breaker.admit()?.settle('failure')
    expect(breaker.retryAfterMs).toBe(openForMs)
  })

  test('keep at most 1,024 breakers, and those that were used last', () => {
    const { breakers, breaker } = bench()
    for (let i = 0; i < 1_023; i++) breakers.get(`other-${i}`, SMALL)
    expect(breakers.get('catalog', SMALL)).toBe(breaker)
    for (let i = 0; i < 1_024; i++) breakers.get(`more-${i}`, SMALL)
    expect(breakers.get('catalog', SMALL)).not.toBe(breaker)
  })

  test('print no warning about listeners, however many there are', () => {
    const warned: unknown[] = []
    const { warn, error } = console
    Object.assign(console, { warn: (text: unknown) => warned.push(text), error: (text: unknown) => warned.push(text) })
    try {
      const { breakers } = bench()
      for (let i = 0; i < 50; i++) breakers.get(`upstream-${i}`, SMALL).admit()?.settle('failure')
    } finally {
      Object.assign(console, { warn, error })
    }
    expect(warned).toEqual([])
  })
})
