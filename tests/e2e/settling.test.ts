import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AMQPClient } from '@cloudamqp/amqp-client'
import { type RunningGateway, startGateway } from '../../gateway/runtimes/bun/start.ts'
import { until } from '../support/real-time.ts'
import { recordTelemetry } from '../support/recorded-telemetry.ts'

/** Orders over HTTP whose answers are lost on real connections; an outbox in SQLite, events out of the embedded broker. */
const folder = mkdtempSync(join(tmpdir(), 'sluice-settling-'))
const config = join(folder, 'gateway.yaml')
const SCHEMA = 'order.placed.schema.json'
const telemetry = recordTelemetry()
let gateway: RunningGateway
let orders: Awaited<ReturnType<typeof startOrders>>
let client: AMQPClient
const events: { readonly data: { readonly id: string } }[] = []

/** True while no answer of the order service arrives. */
let isMute = false

/** Honours keys; an order whose note says "lose" is placed, and the first answer to it never comes. */
async function startOrders() {
  const placed = new Map<string, { readonly id: string }>()
  const server: Server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { note } = JSON.parse(Buffer.concat(chunks).toString()) as { note: string }
    const key = String(request.headers['idempotency-key'])
    const known = placed.get(key)
    const at = '2026-01-01T00:00:00Z'
    const items = note === 'bare' ? [] : [{ sku: 'MUG-001', quantity: 1 }]
    const order = {
      id: `order-${placed.size + 1}`,
      status: 'pending',
      customer: 'c',
      items,
      createdAt: at,
      updatedAt: at,
    }
    if (!known) placed.set(key, order)
    if ((note === 'lose' && !known) || isMute) request.socket.destroy()
    else response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify(known ?? order))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server, placed, port: (server.address() as AddressInfo).port }
}

async function connect(): Promise<void> {
  client = new AMQPClient(gateway.brokerUrl ?? '')
  await client.connect()
  const channel = await client.channel()
  await channel.exchangeDeclare('shop.events', 'topic', { durable: true })
  await channel.queueDeclare('all', { durable: true })
  await channel.queueBind('all', 'shop.events', '#')
  await channel.basicConsume('all', { noAck: true }, (message) => {
    events.push({ data: JSON.parse(message.bodyString() ?? '') })
  })
}

const outboxDetail = async (): Promise<unknown> => {
  const ready = await (await fetch(`${gateway.adminUrl}/_sluice/ready`)).text()
  return /\d+ waiting, \d+ unknown, \d+ parked/.exec(ready)?.[0]
}

const nextOrder = (): string => `order-${orders.placed.size + 1}`
const announced = (id: string): number => events.filter(({ data }) => data.id === id).length

const place = (note: string): Promise<Response> =>
  fetch(`${gateway.url}/orders`, { method: 'POST', body: JSON.stringify({ note }) })

beforeAll(async () => {
  orders = await startOrders()
  mkdirSync(join(folder, 'events'))
  copyFileSync(join(import.meta.dir, '../../config/events', SCHEMA), join(folder, 'events', SCHEMA))
  writeFileSync(
    config,
    `version: 1
server: { port: 0, admin: { port: 0 } }
services: { broker: "embedded:", outbox: "sqlite:${join(folder, 'outbox.db')}" }
upstreams: { orders: { url: "http://127.0.0.1:${orders.port}" } }
routes:
  place-order:
    path: /orders
    methods: [POST]
    policies:
      - publish: { type: order.placed, exchange: shop.events, subject: "{response.body.id}", data: "{response.body}" }
    upstream: orders
`,
  )
  gateway = await startGateway({ config, log: telemetry.log })
  await connect()
})

afterAll(async () => {
  await client?.close().catch(() => {})
  await gateway?.stop()
  orders?.server.close()
  rmSync(folder, { recursive: true, force: true })
})

describe('an order whose answer is lost on the way', () => {
  test('is announced once, because the gateway asks again with its own key', async () => {
    const id = nextOrder()
    const count = orders.placed.size
    expect((await place('lose')).status).toBe(502)
    await until('the event', () => announced(id) === 1)
    expect(orders.placed.size).toBe(count + 1)
  })

  test('is announced by the next process when this one stops before it knows', async () => {
    isMute = true
    const id = nextOrder()
    const count = orders.placed.size
    expect((await place('late')).status).toBe(502)
    await until('an attempt', () => telemetry.lines.some(({ message }) => message === 'An outcome is still unknown'))
    await client.close()
    await gateway.stop()
    isMute = false
    gateway = await startGateway({ config, log: telemetry.log })
    await connect()
    await until('the event', () => announced(id) === 1, 20_000)
    expect(orders.placed.size).toBe(count + 1)
  }, 30_000)
})

test('an order that nobody was there to take is not asked for again', async () => {
  const { port } = orders
  await new Promise((resolve) => {
    orders.server.close(resolve)
    orders.server.closeAllConnections()
  })
  expect((await place('gone')).status).toBe(502)
  const { facts } = telemetry.lines.findLast(({ message }) => message === 'request') ?? {}
  expect(facts).toMatchObject({ policies: { publish: { outcome: 'rejected' } }, calls: [{ unsent: 1 }] })
  expect(await outboxDetail()).toMatch(/^0 waiting, 0 unknown, /)
  await new Promise<void>((resolve) => orders.server.listen(port, '127.0.0.1', resolve))
})

test('an order whose data does not fit the schema beside the configuration is parked, and its client served', async () => {
  const id = nextOrder()
  const response = await place('bare')
  expect([response.status, ((await response.json()) as { id: string }).id]).toEqual([201, id])
  expect(await outboxDetail()).toBe('0 waiting, 0 unknown, 1 parked')
  const parked = telemetry.lines.find(({ message }) => message === 'Parked an event')
  expect(String(parked?.facts.reason)).toContain('does not fit events/order.placed.schema.json: items: ')
  expect(announced(id)).toBe(0)
})
