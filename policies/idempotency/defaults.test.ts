import { describe, expect, test } from 'bun:test'
import { createMemoryStore } from '../../gateway/services/store/memory-store.ts'
import { createTestGateway, type TestGatewayOptions } from '../../tests/support/gateway.ts'
import { until } from '../../tests/support/real-time.ts'
import { createVirtualClock } from '../../tests/support/virtual-clock.ts'

/** The numbers of a policy without options, which clients rely on. */

const POST: RequestInit = { method: 'POST', body: '{}', headers: { 'idempotency-key': 'k' } }
const gatewayWith = ({ services, ...more }: TestGatewayOptions) =>
  createTestGateway({
    policies: ['idempotency'],
    ...more,
    services: { createId: () => crypto.randomUUID(), ...services },
  })

describe('idempotency without options', () => {
  test('repeats an answer for 24 hours', async () => {
    let orders = 0
    const gateway = await gatewayWith({ upstream: () => Response.json({ order: ++orders }, { status: 201 }) })
    const order = async () => (await (await gateway.fetch('/x/1', POST)).json()) as unknown
    expect(await order()).toEqual({ order: 1 })
    await gateway.clock.advance(86_399_999)
    expect(await order()).toEqual({ order: 1 })
    await gateway.clock.advance(1)
    expect(await order()).toEqual({ order: 2 })
  })

  test.each([
    { size: 65_536, repeats: 200 },
    { size: 65_537, repeats: 409 },
  ])('answers a repeat with $repeats when the answer has $size bytes', async ({ size, repeats }) => {
    const gateway = await gatewayWith({ upstream: () => new Response('x'.repeat(size)) })
    expect((await (await gateway.fetch('/x/1', POST)).text()).length).toBe(size)
    expect((await gateway.fetch('/x/1', POST)).status).toBe(repeats)
    expect(gateway.upstreamRequests).toHaveLength(1)
  })

  test('leaves its key to a gateway that died for 30 seconds', async () => {
    const clock = createVirtualClock()
    const store = createMemoryStore({ clock })
    const server = { limits: { timeout: '5s' } }
    const dead = await gatewayWith({ upstream: () => new Promise(() => {}), services: { store }, server })
    const next = await gatewayWith({ upstream: () => new Response('ok'), services: { store }, server })
    void dead.fetch('/x/1', POST).catch(() => {})
    await until('the upstream has the request', () => dead.upstreamRequests.length > 0)
    await clock.advance(29_999)
    expect((await next.fetch('/x/1', POST)).status).toBe(409)
    await clock.advance(1)
    expect((await next.fetch('/x/1', POST)).status).toBe(200)
  })
})
