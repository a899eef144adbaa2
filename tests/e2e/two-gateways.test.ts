import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { firstsOf, type WatchedExchange, watchExchange } from '../support/delivery-scene.ts'
import { until } from '../support/real-time.ts'

const { AMQP_TEST_URL: brokerUrl = '', CI } = process.env
const isLeftOut = brokerUrl === '' && CI !== 'true'
const title = 'Two gateways on one outbox'
const MAIN = join(import.meta.dir, '../../gateway/runtimes/bun/cli/main.ts')

interface GatewayProcess {
  readonly url: string
  readonly adminUrl: string
  isDelivering(): Promise<boolean>
  /** Resolves with the exit code. */
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number>
}

describe.skipIf(isLeftOut)(isLeftOut ? `${title} (LEFT OUT: AMQP_TEST_URL names no broker)` : title, () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-two-gateways-'))
  const running: GatewayProcess[] = []
  let watched: WatchedExchange
  let config: string
  let orders: ReturnType<typeof Bun.serve>

  beforeAll(async () => {
    watched = await watchExchange(brokerUrl)
    orders = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: async (request) => Response.json(await request.json(), { status: 201 }),
    })
    config = join(folder, 'gateway.yaml')
    writeFileSync(
      config,
      `version: 1
services: { broker: "${brokerUrl}", outbox: "sqlite:${join(folder, 'outbox.db')}" }
upstreams: { orders: { url: "http://127.0.0.1:${orders.port}" } }
routes:
  place-order:
    path: /orders
    methods: [POST]
    policies:
      - publish: { type: order.placed, exchange: ${watched.exchange}, subject: "{response.body.customer}", data: "{response.body}" }
    upstream: orders
`,
    )
  })
  afterEach(async () => {
    await Promise.all(running.splice(0).map((each) => each.end('SIGKILL')))
  })
  afterAll(async () => {
    await watched?.remove()
    await orders?.stop(true)
    rmSync(folder, { recursive: true, force: true })
  })

  async function start(): Promise<GatewayProcess> {
    const child = Bun.spawn([process.execPath, MAIN, 'start', '--config', config, '--port', '0', '--admin-port', '0'], {
      stdout: 'pipe',
      stderr: 'inherit',
    })
    let said = ''
    void (async () => {
      for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) said += text
    })()
    const serving = () => said.split('\n').find((line) => line.includes('"message":"serving"') && line.endsWith('}'))
    await until(`a gateway, which said: ${said}`, () => serving() !== undefined)
    const { url, admin: adminUrl } = JSON.parse(serving() ?? '{}') as { url: string; admin: string }
    const gateway: GatewayProcess = {
      url,
      adminUrl,
      async isDelivering() {
        return (await (await fetch(`${adminUrl}/_sluice/metrics`)).text()).includes('\nsluice_relay_lease_held 1')
      },
      async end(signal) {
        child.kill(signal)
        return await child.exited
      },
    }
    running.push(gateway)
    return gateway
  }

  /** Places orders one after another for each of four customers; resolves with what each has ordered. */
  async function place(gateway: GatewayProcess, prefix: string, count: number): Promise<void> {
    const each = ['a', 'b', 'c', 'd'].map(async (customer) => {
      for (let i = 0; i < count; i++) {
        const body = JSON.stringify({ id: `${prefix}-${i}`, customer })
        const response = await fetch(`${gateway.url}/orders`, {
          method: 'POST',
          body,
          headers: { 'content-type': 'application/json' },
        })
        expect(response.status).toBe(201)
        await response.text()
      }
    })
    await Promise.all(each)
  }
  const delivered = async () =>
    (await watched.use(
      async (channel) => (await channel.queueDeclare(watched.queue, { passive: true })).messageCount,
    )) ?? 0

  test('deliver every event of both once, and in order, when one stops and when one is killed', async () => {
    const first = await start()
    await until('the lease', () => first.isDelivering())
    const second = await start()
    await Promise.all([place(first, 'first', 25), place(second, 'second', 25)])
    await until('200 events', async () => (await delivered()) === 200)
    expect([await first.isDelivering(), await second.isDelivering()]).toEqual([true, false])

    expect(await first.end('SIGTERM')).toBe(0)
    await place(second, 'after-stop', 25)
    await until('100 more', async () => (await delivered()) >= 300)
    expect(await second.isDelivering()).toBe(true)

    const third = await start()
    await Promise.all([place(second, 'before-kill', 25), place(third, 'beside', 25)])
    await second.end('SIGKILL')
    await place(third, 'after-kill', 25)
    await until('the takeover', () => third.isDelivering(), 10_000)
    await until('300 more', async () => (await delivered()) >= 600)

    expect(await third.end('SIGTERM')).toBe(0)
    const arrivals = await watched.drain()
    expect(firstsOf(arrivals)).toHaveLength(600)
    const bodies = new Map(arrivals.map(({ id, body }) => [id, JSON.parse(body) as { id: string; customer: string }]))
    for (const prefix of ['first', 'second', 'after-stop', 'before-kill', 'beside', 'after-kill']) {
      for (const customer of ['a', 'b', 'c', 'd']) {
        const placed = firstsOf(arrivals, customer).map((id) => bodies.get(id)?.id)
        const ofThisGateway = placed.filter((id) => id?.startsWith(`${prefix}-`))
        expect(ofThisGateway).toEqual(Array.from({ length: 25 }, (_, i) => `${prefix}-${i}`))
      }
    }
    // At most what was on its way at the kill came twice.
    expect(arrivals.length - 600).toBeLessThanOrEqual(256)
  }, 60_000)
})
