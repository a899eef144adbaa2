import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from '../testing/requests.ts'
import type { ServiceProcessSettings } from '../testing/service-process.ts'
import { until } from '../testing/until.ts'
import type { Order } from './order-book.ts'

/** The orders service as a process that is killed while it answers; no broker is there. */
const data = mkdtempSync(join(tmpdir(), 'shop-orders-'))
const SCRIPT = join(import.meta.dir, '../testing/service-process.ts')
const BODY = { items: [{ sku: 'MUG-001', quantity: 2 }], payment: { card: '4242424242424242' } }

let service: Bun.Subprocess<'ignore', 'pipe', 'ignore'>
let port = 0

async function start(): Promise<void> {
  const nowhere = { url: 'amqp://127.0.0.1:1', exchange: 'none', queuePrefix: '', retriesMs: [1], delaysMs: [1] }
  const settings: ServiceProcessSettings = { service: 'orders', data, ...nowhere }
  service = Bun.spawn([process.execPath, SCRIPT, JSON.stringify(settings)], { stdout: 'pipe', stderr: 'ignore' })
  const { value } = await service.stdout.getReader().read()
  port = Number(new TextDecoder().decode(value))
}

async function kill(): Promise<void> {
  service.kill('SIGKILL')
  await service.exited
}

const place = (key: string, body: unknown = BODY) =>
  fetch(`http://127.0.0.1:${port}/orders`, json('POST', body, { 'x-user-id': 'user-alice', 'idempotency-key': key }))

/** The order under a key, asked again until it is answered. */
async function placed(key: string): Promise<Order> {
  let order: Order | undefined
  await until('it is answered', async () => {
    const reply = await place(key).catch(() => undefined)
    order = reply?.status === 201 ? ((await reply.json()) as Order) : undefined
    return order !== undefined
  })
  if (!order) throw new Error('not answered')
  return order
}

beforeAll(start)
afterAll(async () => {
  await kill()
  rmSync(data, { recursive: true })
})

describe('orders under a key', () => {
  test('are one order for 50 at once, while the service is killed and after (EV-26)', async () => {
    for (const round of [1, 2, 3]) {
      const key = `key-${round}`
      const asking = Array.from({ length: 50 }, () => placed(key))
      await Promise.race(asking)
      await kill()
      await start()
      const orders = await Promise.all(asking)
      expect(new Set(orders.map((order) => JSON.stringify(order))).size).toBe(1)
    }
    const url = `http://127.0.0.1:${port}/orders`
    const list = (await (await fetch(url, { headers: { 'x-user-id': 'user-alice' } })).json()) as { items: Order[] }
    expect(list.items).toHaveLength(3)
  }, 30_000)

  test('stay theirs after a crash: another order is refused, in quotes it is the same key', async () => {
    const order = await placed('key-kept')
    await kill()
    await start()
    expect((await place('key-kept', { items: [{ sku: 'MUG-001', quantity: 3 }] })).status).toBe(422)
    expect(await (await place('"key-kept"')).json()).toEqual(order)
  })

  test('can be looked up by their customer alone, as they were answered', async () => {
    const order = await placed('key/with ünicode')
    const url = `http://127.0.0.1:${port}/orders/by-key/${encodeURIComponent('key/with ünicode')}`
    const mine = await fetch(url, { headers: { 'x-user-id': 'user-alice' } })
    expect(await mine.json()).toEqual(order)
    expect((await fetch(url, { headers: { 'x-user-id': 'user-bob' } })).status).toBe(404)
    expect((await fetch(`${url}-other`, { headers: { 'x-user-id': 'user-alice' } })).status).toBe(404)
  })
})
