import { describe, expect, test } from 'bun:test'
import { createTestGateway } from '../tests/support/gateway.ts'

const PROXY = { server: { trust: { hops: 1 } } }
const ASKING = { headers: { 'x-server-timing': '?1', 'x-forwarded-for': '203.0.113.7' } }

describe('Server-Timing', () => {
  test('tells a trusted proxy that asks how long the whole and each call took', async () => {
    const gateway = await createTestGateway(PROXY)
    const timing = (await gateway.fetch('/x/1', ASKING)).headers.get('server-timing')
    expect(timing).toBe('total;dur=0, upstream;dur=0')
  })

  test('is not given to a proxy that does not ask, nor to a stranger who does', async () => {
    const trusting = await createTestGateway(PROXY)
    expect((await trusting.fetch('/x/1')).headers.has('server-timing')).toBe(false)
    const wary = await createTestGateway()
    expect((await wary.fetch('/x/1', ASKING)).headers.has('server-timing')).toBe(false)
  })

  test('is added to what the upstream says of itself', async () => {
    const upstream = () => new Response('ok', { headers: { 'server-timing': 'db;dur=3' } })
    const gateway = await createTestGateway({ ...PROXY, upstream })
    expect((await gateway.fetch('/x/1', ASKING)).headers.get('server-timing')).toBe(
      'db;dur=3, total;dur=0, upstream;dur=0',
    )
  })
})

describe('too many requests at once', () => {
  test('are refused with 503 and Retry-After, and served again once there is room', async () => {
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const gateway = await createTestGateway({
      server: { limits: { concurrency: 1 } },
      upstream: async () => {
        await held
        return new Response('ok')
      },
    })
    const first = gateway.fetch('/x/1')
    const second = await gateway.fetch('/x/2')
    expect([second.status, second.headers.get('retry-after')]).toEqual([503, '1'])
    release()
    expect((await first).status).toBe(200)
    expect((await gateway.fetch('/x/3')).status).toBe(200)
  })
})

describe('preserve-host', () => {
  test('sends the Host the gateway was asked by, not the one a proxy was told of', async () => {
    const gateway = await createTestGateway({ ...PROXY, upstreamSettings: { 'preserve-host': true } })
    await gateway.fetch('/x/1', { headers: { host: 'shop.test', 'x-forwarded-host': 'internal-admin' } })
    expect(gateway.upstreamRequests[0]?.headers.get('host')).toBe('shop.test')
  })
})
