import { describe, expect, test } from 'bun:test'
import { createTestGateway } from '../../tests/support/gateway.ts'
import type { Logger } from '../core/telemetry.ts'

/** Keeps what is logged as text, as a real log does: what becomes known afterwards is not in it. */
function textLog() {
  const lines: string[] = []
  const log: Logger = {
    info: (_, facts) => void lines.push(JSON.stringify(facts)),
    warn() {},
    error: (message, facts) => void lines.push(JSON.stringify({ message, ...facts })),
  }
  return { log, lines }
}

const POLICIES = {
  'no policies': [],
  'a timeout': [{ timeout: '50s' }],
  'retry and a timeout': [{ retry: {} }, { timeout: '50s' }],
  'a circuit breaker, retry and a timeout': [{ 'circuit-breaker': {} }, { retry: {} }, { timeout: '50s' }],
}

const PART = { upstream: 'slow', path: '/a' }
const ROUTES = {
  proxied: { upstream: 'slow' },
  composed: { policies: [{ aggregate: { parts: { a: { ...PART, required: true }, b: PART } } }] },
}

/** Opens a route whose upstream answers nothing until it is given up. */
async function opened(policies: object[], route: object) {
  const { log, lines } = textLog()
  const config = {
    version: 1,
    upstreams: { slow: { url: 'http://slow.test', policies } },
    routes: { r: { path: '/x', ...route } },
  }
  const gateway = await createTestGateway({
    config: JSON.stringify(config),
    services: { log },
    upstream: ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason))
      }),
  })
  return { gateway, lines }
}

describe('the log line of a request that was given up tells how its calls ended', () => {
  for (const [around, policies] of Object.entries(POLICIES)) {
    for (const [kind, route] of Object.entries(ROUTES)) {
      test(`when the client left: ${kind}, with ${around}`, async () => {
        const { gateway, lines } = await opened(policies, route)
        const client = new AbortController()
        const answer = gateway.fetch('/x', {}, { gone: client.signal })
        await gateway.clock.advance(3)
        client.abort()
        await answer
        expect(lines).toHaveLength(1)
        const { failure, calls } = JSON.parse(lines[0] ?? '')
        expect(failure).toBe('client-gone')
        expect(calls).toHaveLength(kind === 'composed' ? 2 : 1)
        for (const call of calls) expect(call).toMatchObject({ attempts: 1, durationMs: 3 })
      })
    }
  }

  for (const [around, policies] of Object.entries(POLICIES)) {
    test(`when the time of the last part was up, with ${around}`, async () => {
      const route = { policies: [{ aggregate: { parts: { a: { ...PART, timeout: '3ms', fallback: 0 } } } }] }
      const { gateway, lines } = await opened(policies, route)
      const answer = gateway.fetch('/x')
      await gateway.clock.advance(3)
      expect((await answer).status).toBe(200)
      expect(JSON.parse(lines[0] ?? '').calls).toMatchObject([{ failure: 'upstream-timeout', durationMs: 3 }])
    })
  }

  test('when the client had left before it was asked anything', async () => {
    const { gateway, lines } = await opened([], ROUTES.proxied)
    await gateway.fetch('/x', {}, { gone: AbortSignal.abort() })
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ failure: 'client-gone', calls: [{ failure: 'client-gone' }] })
  })

  test('when its time was up', async () => {
    const { gateway, lines } = await opened(POLICIES['a timeout'], ROUTES.proxied)
    const answer = gateway.fetch('/x')
    await gateway.clock.advance(60_000)
    await answer
    expect(JSON.parse(lines[0] ?? '').calls).toEqual([expect.objectContaining({ durationMs: expect.any(Number) })])
  })
})
