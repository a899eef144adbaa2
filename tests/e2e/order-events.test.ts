import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AMQPClient } from '@cloudamqp/amqp-client'
import { type RunningGateway, startGateway } from '../../gateway/runtimes/bun/start.ts'
import { recordTelemetry } from '../support/recorded-telemetry.ts'

/** Orders over HTTP, events out of a real RabbitMQ that is stopped and started meanwhile. */
const {
  AMQP_TEST_URL: brokerUrl,
  AMQP_TEST_CONTROL: control,
  AMQP_TEST_NODE: node,
  AMQP_TEST_HOME: home,
  CI,
} = process.env
const isLeftOut = !(brokerUrl && control && node) && CI !== 'true'
const title = 'orders while RabbitMQ is stopped'

const folder = mkdtempSync(join(tmpdir(), 'sluice-orders-'))
const exchange = `orders-${crypto.randomUUID()}`
const queue = `${exchange}.all`
let gateway: RunningGateway
let orders: ReturnType<typeof startOrders>

/** An order service that accepts everything but quantity 0. */
function startOrders() {
  let count = 0
  return Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const { quantity } = (await request.json()) as { quantity: number }
      if (quantity === 0) return Response.json({ title: 'nothing ordered' }, { status: 400 })
      return Response.json({ id: `order-${++count}`, quantity }, { status: 201 })
    },
  })
}

async function withBroker<Result>(use: (client: AMQPClient) => Promise<Result>): Promise<Result> {
  const client = new AMQPClient(brokerUrl ?? '')
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.close()
  }
}

async function rabbitmqctl(command: string): Promise<void> {
  const child = Bun.spawn([control ?? '', '-n', node ?? '', command], {
    env: { ...process.env, HOME: home },
    stdout: 'ignore',
    stderr: 'pipe',
  })
  if ((await child.exited) !== 0) throw new Error(`rabbitmqctl ${command}: ${await new Response(child.stderr).text()}`)
}

async function order(quantity: number): Promise<{ status: number; id: string | undefined }> {
  const response = await fetch(`${gateway.url}/orders`, {
    method: 'POST',
    body: JSON.stringify({ quantity }),
    headers: { 'content-type': 'application/json' },
  })
  const { id } = (await response.json()) as { id?: string }
  return { status: response.status, id }
}

/** Reads the queue until `count` messages are there, at most 30 s. */
async function received(
  count: number,
): Promise<{ subject: unknown; messageId: string | undefined; body: string | null }[]> {
  return withBroker(async (client) => {
    const channel = await client.channel()
    const messages = []
    for (let tries = 0; messages.length < count && tries < 300; tries++) {
      const message = await channel.basicGet(queue, { noAck: true })
      if (message)
        messages.push({
          subject: message.properties.headers?.cloudEvents_subject,
          messageId: message.properties.messageId,
          body: message.bodyString(),
        })
      else await Bun.sleep(100)
    }
    return messages
  })
}

describe.skipIf(isLeftOut)(isLeftOut ? `${title} (LEFT OUT: no RabbitMQ of our own to stop)` : title, () => {
  beforeAll(async () => {
    if (!brokerUrl || !control || !node)
      throw new Error('AMQP_TEST_URL, AMQP_TEST_CONTROL and AMQP_TEST_NODE are needed: run npm test')
    await withBroker(async (client) => {
      const channel = await client.channel()
      await channel.exchangeDeclare(exchange, 'topic', { durable: true })
      await channel.queueDeclare(queue, { durable: true })
      await channel.queueBind(queue, exchange, '#')
    })
    orders = startOrders()
    const config = join(folder, 'gateway.yaml')
    writeFileSync(
      config,
      `version: 1
server: { port: 0, admin: { port: 0 } }
services: { broker: "${brokerUrl}", outbox: "sqlite:${join(folder, 'outbox.db')}" }
upstreams: { orders: { url: "http://127.0.0.1:${orders.port}" } }
routes:
  place-order:
    path: /orders
    methods: [POST]
    policies:
      - publish: { type: order.placed, exchange: ${exchange}, subject: "{response.body.id}", data: "{response.body}" }
    upstream: orders
`,
    )
    gateway = await startGateway({ config, log: recordTelemetry().log })
  })

  afterAll(async () => {
    await gateway?.stop()
    await orders?.stop(true)
    rmSync(folder, { recursive: true, force: true })
  })

  test('delivers an event for every accepted order and none for a refused one', async () => {
    const accepted = await Promise.all([1, 2, 3].map(order))
    expect(accepted.map(({ status }) => status)).toEqual([201, 201, 201])
    expect((await order(0)).status).toBe(400)
    const events = await received(3)
    expect(events.map(({ subject }) => subject).sort()).toEqual(accepted.map(({ id }) => id).sort())
    expect(JSON.parse(events[0]?.body ?? '')).toMatchObject({ id: expect.any(String), quantity: expect.any(Number) })
  })

  test('accepts orders meanwhile and delivers every event once RabbitMQ is back', async () => {
    await rabbitmqctl('stop_app')
    const accepted = await Promise.all(Array.from({ length: 50 }, (_, i) => order(i + 1)))
    expect(new Set(accepted.map(({ status }) => status))).toEqual(new Set([201]))
    const ready = (await (await fetch(`${gateway.adminUrl}/_sluice/ready`)).json()) as { status: string }
    expect(ready.status).toBe('degraded')

    await rabbitmqctl('start_app')
    const events = await received(50)
    expect(events.map(({ subject }) => subject).sort()).toEqual(accepted.map(({ id }) => id).sort())
    expect(new Set(events.map(({ messageId }) => messageId)).size).toBe(50)
  }, 90_000)
})
