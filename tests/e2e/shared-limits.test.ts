import { afterEach, describe, expect, test } from 'bun:test'
import { until } from '../support/real-time.ts'
import { describeWithRedis } from '../support/redis-under-test.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { openScene, type Scene, simpleConfig } from './scene.ts'

/** Several gateways on one Redis, and what they do without it. */
const scenes: Scene[] = []

afterEach(async () => {
  for (const scene of scenes.splice(0)) await scene.close()
})

async function gatewayOn(store: string, limit: Readonly<Record<string, unknown>>): Promise<Scene> {
  const policies = [{ 'rate-limit': { window: '1d', algorithm: 'fixed-window', name: 'shared', ...limit } }]
  const scene = await openScene({
    config: (upstream) => ({
      ...simpleConfig(upstream, { route: { policies } }),
      services: { store, broker: 'embedded:?file=memory', outbox: 'memory:' },
    }),
  })
  scenes.push(scene)
  return scene
}

async function statuses(targets: readonly Scene[], count: number): Promise<Map<number, number>> {
  const responses = await Promise.all(
    Array.from({ length: count }, (_, i) => fetch(`${targets[i % targets.length]?.url}/x`)),
  )
  const counts = new Map<number, number>()
  for (const response of responses) {
    await response.body?.cancel()
    counts.set(response.status, (counts.get(response.status) ?? 0) + 1)
  }
  return counts
}

describeWithRedis('gateways that share a Redis', (url) => {
  // Another database for each run: the counters of an earlier one must not be found.
  const own = (port = new URL(url).port) => `redis://127.0.0.1:${port}/${Math.floor(Math.random() * 15) + 1}`

  test('let through together what the limit says, however many requests come at once', async () => {
    const store = own()
    const name = `run-${crypto.randomUUID().slice(0, 8)}`
    // Whoever hears nothing from Redis in time is refused, so that a busy machine cannot make the count wrong.
    const limit = { limit: 100, name, 'on-store-failure': 'deny' }
    const gateways = [await gatewayOn(store, limit), await gatewayOn(store, limit)]
    const first = await statuses(gateways, 2)
    // Windows of a day, so that none turns in the middle.
    const rest = await statuses(gateways, 200)
    const count = (status: number) => (first.get(status) ?? 0) + (rest.get(status) ?? 0)
    const unheard = count(503)
    expect(count(200) + count(429) + unheard).toBe(202)
    expect(count(200)).toBeLessThanOrEqual(100)
    expect(count(200)).toBeGreaterThanOrEqual(100 - unheard)
    expect(count(429)).toBeGreaterThanOrEqual(102 - unheard)
  })

  describe('when Redis falls silent', () => {
    const cases = [
      { name: 'answer 503 where the limit must hold', choice: 'deny', expected: 503 },
      { name: 'let everything through where it must not get in the way', choice: 'allow', expected: 200 },
      { name: 'count by themselves unless told', choice: 'local', expected: 200 },
    ]
    test.each(cases)('$name', async ({ choice, expected }) => {
      const proxy = await startTcpProxy(Number(new URL(url).port))
      const gateway = await gatewayOn(own(String(proxy.port)), { limit: 100, 'on-store-failure': choice })
      try {
        // A busy machine may take longer for the first answer of Redis than the gateway waits for it.
        await until('Redis to be heard in time', async () => (await statuses([gateway], 1)).has(200))
        proxy.hold()
        // An answer at all says that nobody waits for a Redis that says nothing.
        expect(await statuses([gateway], 5)).toEqual(new Map([[expected, 5]]))
      } finally {
        await proxy.close()
      }
    })
  })
})
