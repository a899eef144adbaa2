import { beforeEach, describe, expect, test } from 'bun:test'
import circuitBreaker from '../../policies/circuit-breaker/index.ts'
import grayRelease from '../../policies/gray-release/index.ts'
import retry from '../../policies/retry/index.ts'
import timeout from '../../policies/timeout/index.ts'
import { createTestGateway } from '../support/gateway.ts'

/** What retry, circuit-breaker, timeout and gray-release do to each other in the order the documentation recommends. */

const RETRY = { retry: { attempts: 3, budget: '100%' } }
const BREAKER = { 'circuit-breaker': { 'minimum-calls': 2, 'open-for': '5s', probes: 1, successes: 1 } }
const TIMEOUT = { timeout: '100ms' }

type Answer = number | 'refuse' | 'hang'
let answers: Answer[] = []

beforeEach(() => {
  answers = []
})

/** Gives the answers in turn, and the last one from then on. */
function answer(): Response | Promise<Response> {
  const next = answers.length > 1 ? answers.shift() : answers[0]
  if (next === 'hang') return new Promise<Response>(() => {})
  if (next === 'refuse') throw new TypeError('connection refused')
  return new Response('answer', { status: next ?? 200 })
}

async function bench(upstreamPolicies: readonly unknown[], server = {}) {
  const gateway = await createTestGateway({
    register: [circuitBreaker, retry, timeout],
    upstreamPolicies,
    upstream: answer,
    server,
    services: { random: () => 0.5 },
  })
  return {
    gateway,
    /** Status for the client and calls the upstream got, after a second. */
    async send(): Promise<readonly [number, number]> {
      const before = gateway.upstreamRequests.length
      const response = gateway.fetch('/x/1')
      await gateway.clock.advance(1_000)
      return [(await response).status, gateway.upstreamRequests.length - before]
    },
  }
}

describe('circuit-breaker around timeout', () => {
  test('counts a timeout as a failure', async () => {
    answers = ['hang']
    const { send } = await bench([BREAKER, TIMEOUT])
    expect([await send(), await send(), await send()]).toEqual([
      [504, 1],
      [504, 1],
      [503, 0],
    ])
  })

  test('gives a hung probe’s place back when its time is up, and opens again', async () => {
    answers = ['hang']
    const { gateway, send } = await bench([BREAKER, TIMEOUT])
    await send()
    await send()
    await gateway.clock.advance(5_000)
    expect([await send(), await send()]).toEqual([
      [504, 1],
      [503, 0],
    ])
  })

  test('does not start the time of a call it refuses', async () => {
    answers = ['refuse']
    const { gateway, send } = await bench([BREAKER, TIMEOUT])
    await send()
    await send()
    const refused = gateway.fetch('/x/1')
    expect((await refused).status).toBe(503)
  })
})

describe('timeout around circuit-breaker', () => {
  test('still lets the breaker see that the upstream hung', async () => {
    answers = ['hang']
    const { send } = await bench([TIMEOUT, BREAKER])
    expect([await send(), await send(), await send()]).toEqual([
      [504, 1],
      [504, 1],
      [503, 0],
    ])
  })
})

describe('retry around timeout', () => {
  test('gives every try its own time', async () => {
    answers = ['hang', 'hang', 200]
    const { send } = await bench([RETRY, TIMEOUT])
    expect(await send()).toEqual([200, 3])
  })

  test('aborts the try that took too long before it makes the next', async () => {
    answers = ['hang', 200]
    const { gateway, send } = await bench([RETRY, TIMEOUT])
    await send()
    expect(gateway.upstreamRequests.map(({ signal }) => signal.aborted)).toEqual([true, false])
  })

  test('stays within the time of the route', async () => {
    answers = ['hang']
    const { gateway, send } = await bench([RETRY, TIMEOUT], { limits: { timeout: '150ms' } })
    expect(await send()).toEqual([504, 2])
    expect(gateway.records[0]).toMatchObject({ durationMs: 150 })
  })
})

describe('timeout around retry', () => {
  test('bounds all tries together', async () => {
    answers = [503, 'hang']
    const { send } = await bench([TIMEOUT, RETRY])
    expect(await send()).toEqual([504, 2])
  })
})

describe('retry around circuit-breaker', () => {
  test('asks the breaker before every try, and stops when it has opened', async () => {
    answers = ['refuse']
    const { gateway, send } = await bench([RETRY, BREAKER])
    expect(await send()).toEqual([503, 2])
    expect(gateway.records[0]).toMatchObject({ failure: 'circuit-open', calls: [{ attempts: 2, breaker: 'open' }] })
  })

  test('does not try again while the circuit is open', async () => {
    answers = ['refuse']
    const { gateway, send } = await bench([RETRY, BREAKER])
    await send()
    const refused = gateway.fetch('/x/1')
    expect((await refused).status).toBe(503)
    expect(gateway.metric('sluice_retries_total')).toBe(2)
  })

  test('counts every try', async () => {
    answers = [503, 503, 200]
    const { send } = await bench([RETRY, { 'circuit-breaker': { 'minimum-calls': 4 } }])
    expect(await send()).toEqual([200, 3])
    answers = [503]
    expect(await send()).toEqual([503, 1])
  })

  test('closes the circuit by a try that succeeds', async () => {
    answers = ['refuse', 'refuse', 200]
    const { gateway, send } = await bench([RETRY, BREAKER])
    await send()
    await gateway.clock.advance(5_000)
    expect([await send(), await send()]).toEqual([
      [200, 1],
      [200, 1],
    ])
  })
})

describe('circuit-breaker around retry', () => {
  test('sees only the last try', async () => {
    answers = ['refuse', 200, 'refuse', 200, 'refuse', 200]
    const { send } = await bench([BREAKER, RETRY])
    expect([await send(), await send(), await send()]).toEqual([
      [200, 2],
      [200, 2],
      [200, 2],
    ])
  })
})

describe('all of them', () => {
  test('turn a hanging upstream into quick refusals and back, without a flood of repeats', async () => {
    answers = ['hang']
    const { gateway, send } = await bench([RETRY, BREAKER, TIMEOUT])
    expect(await send()).toEqual([503, 2])
    for (let i = 0; i < 3; i++) expect(await send()).toEqual([503, 0])
    answers = [200]
    await gateway.clock.advance(5_000)
    expect(await send()).toEqual([200, 1])
    expect(await send()).toEqual([200, 1])
  })

  test('a client that leaves ends everything and counts nowhere', async () => {
    answers = ['hang']
    const { gateway, send } = await bench([RETRY, BREAKER, TIMEOUT])
    for (let i = 0; i < 4; i++) {
      const client = new AbortController()
      const response = gateway.fetch('/x/1', {}, { ip: '192.0.2.1', gone: client.signal })
      await gateway.clock.advance(50)
      client.abort()
      expect((await response).status).toBe(499)
      await gateway.clock.advance(1_000)
    }
    expect(gateway.upstreamRequests).toHaveLength(4)
    answers = [200]
    expect(await send()).toEqual([200, 1])
  })
})

test('gray-release around them keeps a failing version’s circuit from the others', async () => {
  const gateway = await createTestGateway({
    register: [circuitBreaker, grayRelease, retry, timeout],
    config: JSON.stringify({
      version: 1,
      upstreams: {
        pricing: {
          versions: { stable: { targets: ['http://stable.test'] }, canary: { targets: ['http://canary.test'] } },
          policies: [
            {
              'gray-release': {
                weights: { stable: 1 },
                rules: [{ when: { 'headers.x-release': 'canary' }, version: 'canary' }],
              },
            },
            { retry: { attempts: 2 } },
            BREAKER,
            TIMEOUT,
          ],
        },
      },
      routes: { prices: { path: '/x', upstream: 'pricing' } },
    }),
    upstream: ({ url }) => (url.includes('canary') ? new Promise<Response>(() => {}) : new Response('price')),
  })
  const ask = async (release: string) => {
    const response = gateway.fetch('/x', { headers: { 'x-release': release } })
    await gateway.clock.advance(1_000)
    return (await response).status
  }
  expect([await ask('canary'), await ask('canary'), await ask('stable')]).toEqual([504, 503, 200])
})
