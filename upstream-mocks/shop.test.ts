import { describe, expect, test } from 'bun:test'
import { type ServiceName, startShop } from './index.ts'
import { json } from './testing/requests.ts'
import { until } from './testing/until.ts'

const NAMES = ['users', 'catalog', 'inventory', 'pricing', 'pricing-canary', 'promotions', 'orders', 'payments']

describe('the shop', () => {
  test('answers on a port of its own for each service, and no more once stopped', async () => {
    const shop = await startShop({ ports: 'ephemeral' })
    expect(Object.keys(shop.ports).sort()).toEqual(NAMES.toSorted())
    for (const [name, port] of Object.entries(shop.ports)) {
      expect(await (await fetch(`http://127.0.0.1:${port}/health`)).json()).toEqual({ status: 'ok', service: name })
    }
    await shop.stop()
    for (const port of Object.values(shop.ports)) {
      await expect(fetch(`http://127.0.0.1:${port}/health`)).rejects.toThrow()
    }
  })

  test('names the service and the port when a port is taken, and leaves nothing running', async () => {
    const taken = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response() })
    const free = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response() })
    const usersPort = free.port ?? 0
    await free.stop(true)
    const zero = Object.fromEntries(NAMES.map((name) => [name, 0])) as Record<ServiceName, number>
    const start = startShop({ ports: { ...zero, users: usersPort, payments: taken.port ?? 0 } })
    await expect(start).rejects.toThrow(`The payments service cannot listen on 127.0.0.1:${taken.port}`)
    await expect(fetch(`http://127.0.0.1:${usersPort}/health`)).rejects.toThrow()
    await taken.stop(true)
  })

  test('takes orders while there is no broker', async () => {
    const warnings: string[] = []
    const log = { info() {}, warn: (message: string) => void warnings.push(message) }
    const nobody = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response() })
    // Read before it stops: afterwards it is 0, which an AMQP client takes for 5672.
    const { port } = nobody
    await nobody.stop(true)
    const shop = await startShop({ ports: 'ephemeral', amqpUrl: `amqp://127.0.0.1:${port}`, log })
    const order = json('POST', { items: [{ sku: 'MUG-001', quantity: 1 }] })
    expect((await fetch(`http://127.0.0.1:${shop.ports.orders}/orders`, order)).status).toBe(201)
    await until('every service with events has complained', () => warnings.length >= 3)
    expect(new Set(warnings)).toEqual(new Set(['Cannot reach the broker, will keep trying']))
    await shop.stop()
  })

  test('stops at once while the broker accepts connections and says nothing', async () => {
    let connections = 0
    const mute = Bun.listen({
      hostname: '127.0.0.1',
      port: 0,
      socket: {
        open() {
          connections += 1
        },
        data() {},
      },
    })
    const shop = await startShop({ ports: 'ephemeral', amqpUrl: `amqp://127.0.0.1:${mute.port}` })
    await until('all three are connected', () => connections === 3)
    const before = performance.now()
    await shop.stop()
    expect(performance.now() - before).toBeLessThan(2_000)
    mute.stop(true)
  })

  test('hangs up on hanging calls when it stops', async () => {
    const shop = await startShop({ ports: 'ephemeral' })
    const url = `http://127.0.0.1:${shop.ports.catalog}`
    await fetch(`${url}/_faults`, json('PUT', { hang: true }))
    const call = fetch(`${url}/products`).then(
      () => 'answered',
      () => 'closed',
    )
    await fetch(`${url}/health`)
    await shop.stop()
    expect(['answered', 'closed']).toContain(await call)
  })
})
