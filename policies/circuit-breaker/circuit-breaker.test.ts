import { describe, expect, test } from 'bun:test'
import { createTestGateway, type TestGateway } from '../../tests/support/gateway.ts'
import grayRelease from '../gray-release/index.ts'
import circuitBreaker from './index.ts'

/** An upstream that answers what the test says at the moment. */
function scriptedUpstream(first: number | 'refuse' | 'hang' = 200) {
  const script = { next: first }
  const answer = (): Response | Promise<Response> => {
    if (script.next === 'hang') return new Promise<Response>(() => {})
    if (script.next === 'refuse') throw new TypeError('connection refused')
    return new Response('answer', { status: script.next })
  }
  return { script, answer }
}

const EXACT = { random: () => 0.5 }

async function bench(options: Readonly<Record<string, unknown>>, first: number | 'refuse' | 'hang' = 200) {
  const { script, answer } = scriptedUpstream(first)
  const gateway = await createTestGateway({
    register: [circuitBreaker],
    upstreamPolicies: [{ 'circuit-breaker': options }],
    upstream: answer,
    services: EXACT,
  })
  return { gateway, script }
}

async function send(gateway: TestGateway, times: number): Promise<readonly number[]> {
  const statuses: number[] = []
  for (let i = 0; i < times; i++) statuses.push((await gateway.fetch('/x/1')).status)
  return statuses
}

/** A body of which one byte comes, and no more. */
const stalled = (): RequestInit => {
  const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(new Uint8Array(1)) })
  return { method: 'POST', body, duplex: 'half' } as RequestInit
}

describe('circuit-breaker', () => {
  test('spends no probe on clients that do not send, and closes by one that does', async () => {
    const { gateway, script } = await bench({ 'minimum-calls': 2, 'open-for': '1s', probes: 1, successes: 1 }, 500)
    await send(gateway, 2)
    script.next = 200
    await gateway.clock.advance(1_100)
    const slow = [1, 2, 3].map(() => gateway.fetch('/x/1', stalled()))
    await gateway.clock.advance(0)
    expect(gateway.upstreamRequests).toHaveLength(2)
    expect(await send(gateway, 3)).toEqual([200, 200, 200])
    await gateway.clock.advance(10_000)
    expect((await Promise.all(slow)).map(({ status }) => status)).toEqual([408, 408, 408])
  })

  test('works without any option: opens at half of 20 calls, for five seconds', async () => {
    const { gateway, script } = await bench({})
    await send(gateway, 10)
    script.next = 500
    expect(await send(gateway, 10)).toEqual(Array(10).fill(500))
    expect(await send(gateway, 1)).toEqual([503])
    await gateway.clock.advance(4_999)
    expect(await send(gateway, 1)).toEqual([503])
    expect(gateway.upstreamRequests).toHaveLength(20)
    script.next = 200
    await gateway.clock.advance(1)
    expect(await send(gateway, 3)).toEqual([200, 200, 200])
  })

  test('stays closed below the minimum of calls', async () => {
    const { gateway } = await bench({}, 500)
    expect(await send(gateway, 19)).toEqual(Array(19).fill(500))
    expect((await send(gateway, 2))[1]).toBe(503)
  })

  test('refuses with 503, a Retry-After in whole seconds and nothing about the upstream', async () => {
    const { gateway } = await bench({ 'minimum-calls': 2, 'open-for': '4200ms' }, 500)
    await send(gateway, 2)
    const refused = await gateway.fetch('/x/1')
    expect(refused.status).toBe(503)
    expect(refused.headers.get('retry-after')).toBe('5')
    const text = await refused.text()
    expect(JSON.parse(text)).toMatchObject({ type: 'urn:sluice:problem:circuit-open', status: 503 })
    expect(text).not.toContain('upstream.test')
    await gateway.clock.advance(4_199)
    expect((await gateway.fetch('/x/1')).headers.get('retry-after')).toBe('1')
    expect(gateway.upstreamRequests).toHaveLength(2)
  })

  test('lets only the allowed number of probes through, however many ask', async () => {
    const { gateway, script } = await bench({ 'minimum-calls': 2, probes: 1, successes: 1 }, 500)
    await send(gateway, 2)
    await gateway.clock.advance(5_000)
    script.next = 'hang'
    const answers = Array.from({ length: 50 }, () => gateway.fetch('/x/1'))
    const refused = await Promise.all(answers.slice(1))
    expect(refused.every(({ status }) => status === 503)).toBe(true)
    expect(gateway.upstreamRequests).toHaveLength(3)
    await gateway.clock.advance(10_000)
    expect((await answers[0])?.status).toBe(504)
  })

  test('opens again when a probe fails, for twice as long', async () => {
    const { gateway } = await bench({ 'minimum-calls': 2 }, 500)
    await send(gateway, 2)
    await gateway.clock.advance(5_000)
    expect(await send(gateway, 2)).toEqual([500, 503])
    await gateway.clock.advance(9_999)
    expect(await send(gateway, 1)).toEqual([503])
    await gateway.clock.advance(1)
    expect(await send(gateway, 1)).toEqual([500])
  })

  test.each([404, 401, 429, 302])('does not count %d', async (status) => {
    const { gateway } = await bench({ 'minimum-calls': 2 }, status)
    expect(await send(gateway, 5)).toEqual(Array(5).fill(status))
  })

  test('counts an upstream that cannot be reached', async () => {
    const { gateway } = await bench({ 'minimum-calls': 2 }, 'refuse')
    expect(await send(gateway, 3)).toEqual([502, 502, 503])
  })

  test('counts an upstream that hangs until the route’s time is up', async () => {
    const { gateway } = await bench({ 'minimum-calls': 2 }, 'hang')
    const hung = [gateway.fetch('/x/1'), gateway.fetch('/x/1')]
    await gateway.clock.advance(10_000)
    expect((await Promise.all(hung)).map(({ status }) => status)).toEqual([504, 504])
    expect(await send(gateway, 1)).toEqual([503])
  })

  test('does not count clients that leave', async () => {
    const { gateway, script } = await bench({ 'minimum-calls': 2 }, 'hang')
    for (let i = 0; i < 10; i++) {
      const client = new AbortController()
      const answer = gateway.fetch('/x/1', {}, { ip: '192.0.2.1', gone: client.signal })
      await gateway.clock.advance(0)
      client.abort()
      await answer
    }
    expect(gateway.upstreamRequests).toHaveLength(10)
    script.next = 200
    expect(await send(gateway, 1)).toEqual([200])
  })

  test('gives the place of a probe back when its client leaves', async () => {
    const { gateway, script } = await bench({ 'minimum-calls': 2, probes: 1, successes: 1 }, 500)
    await send(gateway, 2)
    await gateway.clock.advance(5_000)
    script.next = 'hang'
    const client = new AbortController()
    const answer = gateway.fetch('/x/1', {}, { ip: '192.0.2.1', gone: client.signal })
    await gateway.clock.advance(0)
    client.abort()
    await answer
    await gateway.clock.advance(0)
    script.next = 200
    expect(await send(gateway, 2)).toEqual([200, 200])
  })

  test('takes the statuses that count from failures-on', async () => {
    const { gateway, script } = await bench({ 'minimum-calls': 4, 'failures-on': [429, '4xx'] }, 500)
    expect(await send(gateway, 4)).toEqual([500, 500, 500, 500])
    script.next = 404
    expect(await send(gateway, 5)).toEqual([404, 404, 404, 404, 503])
  })

  test('judges each version by itself', async () => {
    const gateway = await createTestGateway({
      register: [circuitBreaker, grayRelease],
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
              { 'circuit-breaker': { 'minimum-calls': 2 } },
            ],
          },
        },
        routes: { prices: { path: '/x', upstream: 'pricing' } },
      }),
      upstream: ({ url }) => new Response('', { status: url.includes('canary') ? 500 : 200 }),
    })
    const ask = async (release: string) => (await gateway.fetch('/x', { headers: { 'x-release': release } })).status
    expect([await ask('canary'), await ask('canary'), await ask('canary')]).toEqual([500, 500, 503])
    expect([await ask('stable'), await ask('stable')]).toEqual([200, 200])
    expect(gateway.lines.find(({ message }) => message === 'circuit opened')?.facts).toMatchObject({
      breaker: 'pricing/canary',
    })
  })

  test('says in the log what the breaker decided', async () => {
    const { gateway } = await bench({ 'minimum-calls': 2 }, 500)
    await send(gateway, 3)
    await gateway.clock.advance(5_000)
    await send(gateway, 1)
    const calls = gateway.records.flatMap((record) => record.calls as readonly { breaker?: string }[])
    expect(calls.map(({ breaker }) => breaker)).toEqual(['closed', 'closed', 'open', 'half-open'])
  })

  test.each([
    { name: 'a rate of zero', options: { 'failure-rate': '0%' }, message: 'greater than "0%"' },
    { name: 'a status that is none', options: { 'failures-on': ['50x'] }, message: 'expected a status such as 503' },
    {
      name: 'a maximum below the first open time',
      options: { 'maximum-open': '1s' },
      message: 'shorter than open-for',
    },
    { name: 'a misspelt option', options: { 'failure-rat': '50%' }, message: 'failure-rate' },
  ])('refuses $name at load', async ({ options, message }) => {
    expect(String(await bench(options).catch((error: unknown) => error))).toContain(message)
  })

  test('accepts an open time above a minute without more ado', async () => {
    const { gateway } = await bench({ 'minimum-calls': 2, 'open-for': '2m' }, 500)
    await send(gateway, 2)
    expect((await gateway.fetch('/x/1')).headers.get('retry-after')).toBe('120')
  })
})
