import { describe, expect, test } from 'bun:test'
import { createTestGateway, type TestGateway } from '../../tests/support/gateway.ts'
import retry from './index.ts'

type Answer = number | 'refuse' | 'hang' | Response

/** An upstream that gives these answers in turn, and the last one from then on. */
async function bench(options: Readonly<Record<string, unknown>>, answers: readonly Answer[], server = {}) {
  const bodies: string[] = []
  const gateway = await createTestGateway({
    register: [retry],
    upstreamPolicies: [{ retry: options }],
    server,
    services: { random: () => 0.5 },
    async upstream(request) {
      const answer = answers[Math.min(gateway.upstreamRequests.length, answers.length) - 1]
      bodies.push(await request.text())
      if (answer === 'hang') return new Promise<Response>(() => {})
      if (answer === 'refuse' || answer === undefined) throw new TypeError('connection refused')
      return answer instanceof Response ? answer : new Response(`answer ${answer}`, { status: answer })
    },
  })
  return { gateway, bodies }
}

/** The status the client gets and the number of calls the upstream got, after enough time for every pause. */
async function outcome(gateway: TestGateway, init: RequestInit = {}): Promise<readonly [number, number]> {
  const before = gateway.upstreamRequests.length
  const answer = gateway.fetch('/x/1', init)
  await gateway.clock.advance(2_000)
  return [(await answer).status, gateway.upstreamRequests.length - before]
}

describe('retry', () => {
  test('tries once more by default, and gives the better answer', async () => {
    const { gateway } = await bench({}, ['refuse', 200])
    expect(await outcome(gateway)).toEqual([200, 2])
    expect(gateway.records[0]).toMatchObject({ calls: [{ attempts: 2, status: 200 }] })
    expect(gateway.metric('sluice_retries_total')).toBe(1)
  })

  test('gives the last answer when the tries are used up', async () => {
    const { gateway } = await bench({ attempts: 3 }, ['refuse', 503, 502, 200])
    expect(await outcome(gateway)).toEqual([502, 3])
  })

  test('makes one try when told so', async () => {
    const { gateway } = await bench({ attempts: 1 }, [503, 200])
    expect(await outcome(gateway)).toEqual([503, 1])
  })

  test.each([200, 302, 400, 404, 429, 500, 501])('takes %d for an answer', async (status) => {
    const { gateway } = await bench({}, [status, 200])
    expect(await outcome(gateway)).toEqual([status, 1])
  })

  test.each([502, 503, 504])('tries again after %d', async (status) => {
    const { gateway } = await bench({}, [status, 200])
    expect(await outcome(gateway)).toEqual([200, 2])
  })

  test('tries again after the statuses it was given, and after no other', async () => {
    const one = await bench({ statuses: [500] }, [500, 200])
    expect(await outcome(one.gateway)).toEqual([200, 2])
    const other = await bench({ statuses: [500] }, [503, 200])
    expect(await outcome(other.gateway)).toEqual([503, 1])
  })

  test('pauses between tries, longer each time', async () => {
    const { gateway } = await bench({ attempts: 3, backoff: '100ms' }, [503, 503, 200])
    const answer = gateway.fetch('/x/1')
    const counts: number[] = []
    for (const ms of [0, 49, 1, 99, 1]) {
      await gateway.clock.advance(ms)
      counts.push(gateway.upstreamRequests.length)
    }
    expect(counts).toEqual([1, 1, 2, 2, 3])
    expect((await answer).status).toBe(200)
  })

  describe('repeats what may be repeated:', () => {
    const key = { 'idempotency-key': '"8e03978e"' }
    test.each([
      { name: 'GET', method: 'GET', headers: {}, options: {}, tries: 2 },
      { name: 'DELETE', method: 'DELETE', headers: {}, options: {}, tries: 2 },
      { name: 'no POST', method: 'POST', headers: {}, options: {}, tries: 1 },
      { name: 'no PATCH', method: 'PATCH', headers: {}, options: {}, tries: 1 },
      { name: 'no POST for its key alone', method: 'POST', headers: key, options: {}, tries: 1 },
      { name: 'no POST without a key', method: 'POST', headers: {}, options: { 'idempotency-key': true }, tries: 1 },
      {
        name: 'POST with a key, if told',
        method: 'POST',
        headers: key,
        options: { 'idempotency-key': true },
        tries: 2,
      },
      { name: 'POST, if listed', method: 'POST', headers: {}, options: { methods: ['POST'] }, tries: 2 },
      { name: 'no GET, if not listed', method: 'GET', headers: {}, options: { methods: ['POST'] }, tries: 1 },
    ])('$name', async ({ method, headers, options, tries }) => {
      const { gateway } = await bench(options, [503, 200])
      expect(await outcome(gateway, { method, headers })).toEqual([tries === 2 ? 200 : 503, tries])
    })
  })

  describe('with a body', () => {
    const put = (
      text: string,
      headers: Record<string, string> = { 'content-length': `${text.length}` },
    ): RequestInit => ({
      method: 'PUT',
      body: text,
      headers,
    })

    test('sends the same bytes again', async () => {
      const { gateway, bodies } = await bench({}, [503, 200])
      expect(await outcome(gateway, put('{"sku":"1"}'))).toEqual([200, 2])
      expect(bodies).toEqual(['{"sku":"1"}', '{"sku":"1"}'])
    })

    test('sends a body above the limit once, whole', async () => {
      const { gateway, bodies } = await bench({ 'max-body': '10B' }, [503, 200])
      expect(await outcome(gateway, put('eleven char'))).toEqual([503, 1])
      expect(bodies).toEqual(['eleven char'])
      expect(await outcome(gateway, put('ten chars.'))).toEqual([200, 1])
    })

    test('sends a body of unknown length once', async () => {
      const { gateway, bodies } = await bench({}, [503, 200])
      expect(await outcome(gateway, put('streamed', {}))).toEqual([503, 1])
      expect(bodies).toEqual(['streamed'])
    })
  })

  describe('does not try again', () => {
    test('when the upstream asks for a longer pause than the longest', async () => {
      const busy = () => new Response('busy', { status: 503, headers: { 'retry-after': '1' } })
      const { gateway } = await bench({}, [busy(), 200])
      expect(await outcome(gateway)).toEqual([503, 1])
      const patient = await bench({ 'maximum-backoff': '1s' }, [busy(), 200])
      const answer = patient.gateway.fetch('/x/1')
      await patient.gateway.clock.advance(999)
      expect(patient.gateway.upstreamRequests).toHaveLength(1)
      await patient.gateway.clock.advance(1)
      expect((await answer).status).toBe(200)
    })

    test('when the route’s time would be up by then', async () => {
      const { gateway } = await bench({ backoff: '200ms' }, [503, 200], { limits: { timeout: '100ms' } })
      expect(await outcome(gateway)).toEqual([503, 1])
      const enough = await bench({ backoff: '200ms' }, [503, 200], { limits: { timeout: '101ms' } })
      expect(await outcome(enough.gateway)).toEqual([200, 2])
    })

    test('after the route’s time is up', async () => {
      const { gateway } = await bench({}, ['hang', 200], { limits: { timeout: '1s' } })
      expect(await outcome(gateway)).toEqual([504, 1])
    })

    test('for a client that has left, be it during a try or during a pause', async () => {
      const { gateway } = await bench({ backoff: '100ms' }, ['hang', 503, 200])
      for (const calls of [1, 2]) {
        const client = new AbortController()
        const answer = gateway.fetch('/x/1', {}, { ip: '192.0.2.1', gone: client.signal })
        await gateway.clock.advance(10)
        client.abort()
        expect((await answer).status).toBe(499)
        await gateway.clock.advance(1_000)
        expect(gateway.upstreamRequests).toHaveLength(calls)
        expect(gateway.records.at(-1)).toMatchObject({ calls: [{ attempts: 1 }] })
      }
    })

    test('beyond the budget', async () => {
      const { gateway } = await bench({}, [503])
      const tries: number[] = []
      for (let i = 0; i < 5; i++) {
        const answer = gateway.fetch('/x/1')
        await gateway.clock.advance(20)
        await answer
        tries.push(gateway.upstreamRequests.length)
      }
      expect(tries).toEqual([2, 4, 6, 7, 8])
      await gateway.clock.advance(10_000)
      expect(await outcome(gateway)).toEqual([503, 2])
    })
  })

  test('discards the body of an answer it does not use, and of no other', async () => {
    const cancelled: string[] = []
    const answer = (name: string, status: number) =>
      new Response(new ReadableStream({ cancel: () => void cancelled.push(name) }), { status })
    const { gateway } = await bench({}, [answer('first', 503), answer('second', 503)])
    expect(await outcome(gateway)).toEqual([503, 2])
    expect(cancelled).toEqual(['first'])
  })

  test.each([
    { name: 'no attempt', options: { attempts: 0 }, message: 'attempts' },
    { name: 'a method in small letters', options: { methods: ['get'] }, message: 'capital letters' },
    { name: 'a success to be repeated', options: { statuses: [200] }, message: '400' },
  ])('refuses $name at load', async ({ options, message }) => {
    expect(String(await bench(options, [200]).catch((error: unknown) => error))).toContain(message)
  })
})
