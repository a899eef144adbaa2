import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { createTestGateway } from '../tests/support/gateway.ts'
import { definePolicy } from './core/policy.ts'
import type { UpstreamServices } from './core/services.ts'
import type { Logger, Metrics } from './core/telemetry.ts'

const broken = (): never => {
  throw new Error('the disk is full')
}
const rejecting = async () => broken()
const logger = (write: () => unknown): Logger => ({ info: write, warn: write, error: write })
const meter = (write: () => unknown): Metrics => ({ count: write, gauge: write, observe: write })

const BROKEN: Readonly<Record<string, Partial<UpstreamServices>>> = {
  'a logger that throws': { log: logger(broken) },
  'a logger that rejects': { log: logger(rejecting) },
  'metrics that throw': { metrics: meter(broken) },
  'metrics that reject': { metrics: meter(rejecting) },
  'nothing that works': { log: logger(broken), metrics: meter(broken) },
  'errors that are no text': {
    log: logger(() => {
      throw Object.create(null)
    }),
    metrics: meter(() => {
      throw Object.create(null)
    }),
  },
}

/** A policy that has a mistake of its own, tells of it, and counts what nobody has declared. */
const clumsy = definePolicy({
  name: 'clumsy',
  at: 'route',
  options: z.strictObject({}),
  create: (_, { log, metrics }) =>
    async function clumsy() {
      log.warn('about to fail')
      metrics.count('sluice_requests_total', { route: '', method: '', status: '' })
      throw new TypeError('a mistake of ours')
    },
})

const PARTS = { a: { upstream: 'u', path: '/a' }, b: { upstream: 'down', path: '/b', fallback: 1 } }
const CONFIG = JSON.stringify({
  version: 1,
  upstreams: {
    u: { url: 'http://u.test' },
    layered: { url: 'http://u.test', policies: [{ 'circuit-breaker': {} }, { retry: {} }, { timeout: '1s' }] },
    down: { url: 'http://down.test', policies: [{ 'circuit-breaker': { 'minimum-calls': 1 } }, { retry: {} }] },
  },
  routes: {
    plain: { path: '/plain', upstream: 'u' },
    layered: { path: '/layered', upstream: 'layered' },
    limited: { path: '/limited', upstream: 'u', policies: [{ 'rate-limit': { limit: 1, window: '1m' } }] },
    failed: { path: '/failed', upstream: 'down' },
    clumsy: { path: '/clumsy', upstream: 'u', policies: ['clumsy'] },
    composed: { path: '/composed', policies: [{ aggregate: { parts: PARTS } }] },
    streamed: { path: '/streamed', policies: [{ aggregate: { stream: true, parts: PARTS } }] },
  },
})

/** What clients see, one after another, of a gateway with these services. */
async function answersWith(services: Partial<UpstreamServices>) {
  const gateway = await createTestGateway({
    config: CONFIG,
    register: [clumsy],
    services,
    upstream({ url }) {
      if (url.startsWith('http://down')) throw new TypeError('connection refused')
      return Response.json({ from: new URL(url).pathname })
    },
  })
  const seen: unknown[] = []
  for (const path of [
    '/plain',
    '/layered',
    '/limited',
    '/limited',
    '/failed',
    '/clumsy',
    '/composed',
    '/streamed',
    '/no',
    '/%zz',
  ]) {
    const headers = path === '/streamed' ? { accept: 'application/x-ndjson' } : {}
    const answer = gateway.fetch(path, { headers })
    await gateway.clock.advance(1_000)
    const response = await answer
    seen.push([path, response.status, new TextDecoder().decode(await response.arrayBuffer()), gateway.inFlight])
  }
  return seen
}

describe('a request is answered alike, and is no longer counted as in flight, with', () => {
  for (const [name, services] of Object.entries(BROKEN)) {
    test(name, async () => {
      const healthy = await answersWith({})
      expect(healthy.map((each) => (each as unknown[])[1])).toEqual([200, 200, 200, 429, 502, 500, 200, 200, 404, 400])
      expect(await answersWith(services)).toEqual(healthy)
    })
  }

  test('a logger that throws while the door has a mistake of its own', async () => {
    const gateway = await createTestGateway({ services: { log: logger(broken), random: broken } })
    expect((await gateway.fetch('/x/1')).status).toBe(500)
    expect(gateway.inFlight).toBe(0)
  })
})

describe('what is lost', () => {
  test('of the log is counted', async () => {
    const gateway = await createTestGateway({ services: { log: logger(broken) } })
    await gateway.fetch('/x/1')
    await gateway.fetch('/no')
    expect(gateway.metric('sluice_log_lines_lost_total')).toBe(2)
  })

  test('of the metrics is logged, once for each', async () => {
    const gateway = await createTestGateway({ services: { metrics: meter(broken) } })
    await gateway.fetch('/no')
    await gateway.fetch('/no')
    const told = gateway.lines.filter(({ message }) => message === 'Cannot count')
    expect(told).toEqual([
      {
        level: 'error',
        message: 'Cannot count',
        facts: { metric: 'sluice_requests_total', error: 'Error: the disk is full' },
      },
      {
        level: 'error',
        message: 'Cannot count',
        facts: { metric: 'sluice_request_duration_seconds', error: 'Error: the disk is full' },
      },
    ])
  })

  test('of a metric that nobody has declared fails the test of the policy that counts it', async () => {
    const counting = definePolicy({
      name: 'counting',
      at: 'route',
      options: z.strictObject({}),
      create: (_, { metrics }) =>
        async function counting(_exchange, next) {
          metrics.count('sluice_secret_total')
          return next()
        },
    })
    const gateway = await createTestGateway({ register: [counting], policies: ['counting'] })
    await expect(gateway.fetch('/x/1')).rejects.toThrow('sluice_secret_total is not declared')
  })
})
