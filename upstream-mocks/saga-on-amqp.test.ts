import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type AMQPChannel, AMQPClient } from '@cloudamqp/amqp-client'
import { toMessage } from './consumer/cloud-event.ts'
import type { CloudEvent } from './consumer/index.ts'
import { type Shop, startShop } from './index.ts'
import type { Order } from './orders/order-book.ts'
import { createRelay } from './testing/relay.ts'
import { json, orderPlaced } from './testing/requests.ts'
import { until } from './testing/until.ts'

const { AMQP_TEST_URL, CI } = process.env
const leftOut = !AMQP_TEST_URL && CI !== 'true'
const title = 'the order saga on a real broker'

const QUEUES = [
  'inventory.order-placed',
  'inventory.payment-declined',
  'inventory.order-cancelled',
  'inventory.order-confirmed',
  'payments.stock-reserved',
  'orders.payment-confirmed',
  'orders.payment-declined',
  'orders.stock-rejected',
]

describe.skipIf(leftOut)(leftOut ? `${title} (LEFT OUT: AMQP_TEST_URL is not set)` : title, () => {
  const queuePrefix = `test-${crypto.randomUUID()}.`
  const exchange = `${queuePrefix}events`
  const warnings: { message: string; facts: unknown }[] = []
  const infos: string[] = []
  const log = {
    info: (message: string) => void infos.push(message),
    warn: (message: string, facts: unknown) => void warnings.push({ message, facts }),
  }
  const connected = () => infos.filter((message) => message === 'Connected to the broker')
  let shop: Shop
  let relay: ReturnType<typeof createRelay>
  let client: AMQPClient
  let channel: AMQPChannel

  const url = (name: 'orders' | 'inventory', path: string) => `http://127.0.0.1:${shop.ports[name]}${path}`
  const orderOf = async (id: string) => (await (await fetch(url('orders', `/orders/${id}`))).json()) as Order
  const stockOf = async (sku: string) =>
    (await (await fetch(url('inventory', `/stock/${sku}`))).json()) as { available: number; reserved: number }
  const consumers = async () => {
    const counts = await Promise.all(
      QUEUES.map((queue) => channel.queueDeclare(queuePrefix + queue, { passive: true })),
    )
    return counts.reduce((sum, { consumerCount }) => sum + consumerCount, 0)
  }

  async function place(sku: string, quantity: number, card?: string): Promise<Order> {
    const body = { items: [{ sku, quantity }], ...(card ? { payment: { card } } : {}) }
    return (await (await fetch(url('orders', '/orders'), json('POST', body))).json()) as Order
  }

  async function announce(order: Order): Promise<void> {
    await publish(orderPlaced(order))
  }

  async function publish(event: CloudEvent, body = toMessage(event).body, properties = toMessage(event).properties) {
    await channel.basicPublish(exchange, event.type, body, properties, true)
  }

  const ended = (id: string, status: Order['status']) =>
    until(`order ${id} is ${status}`, async () => (await orderOf(id)).status === status)

  beforeAll(async () => {
    if (!AMQP_TEST_URL) throw new Error('AMQP_TEST_URL is not set, and in CI nothing may be left out: start a RabbitMQ')
    client = new AMQPClient(AMQP_TEST_URL)
    await client.connect()
    channel = await client.channel()
    await channel.confirmSelect()
    const target = new URL(AMQP_TEST_URL)
    relay = createRelay(target)
    const amqpUrl = new URL(AMQP_TEST_URL)
    amqpUrl.host = `127.0.0.1:${relay.port}`
    shop = await startShop({ ports: 'ephemeral', amqpUrl: amqpUrl.href, events: { exchange, queuePrefix }, log })
  })

  afterAll(async () => {
    await shop?.stop()
    relay?.cut()
    for (const queue of QUEUES) {
      for (const suffix of ['', '.retry-10s', '.retry-30s', '.retry-90s']) {
        await channel?.queueDelete(queuePrefix + queue + suffix)
      }
    }
    await channel?.queueDelete(`${exchange}.dead-letters`)
    await channel?.exchangeDelete(`${exchange}.dead-letters`)
    await channel?.exchangeDelete(exchange)
    await client?.close()
  })

  test('begins when the broker comes later than the shop', async () => {
    await until('the shop has complained', () => warnings.some(({ message }) => message.startsWith('Cannot reach')))
    relay.open()
    await until('every queue is there', () => connected().length === 3)
    await until('every queue has a consumer', async () => (await consumers()) === QUEUES.length)
  })

  test('confirms an order', async () => {
    const before = await stockOf('MUG-001')
    const order = await place('MUG-001', 2, '4242424242424242')
    await announce(order)
    await ended(order.id, 'confirmed')
    expect(await stockOf('MUG-001')).toMatchObject({ available: before.available - 2, reserved: before.reserved + 2 })
  })

  test('cancels an order whose card is declined, and puts the stock back', async () => {
    const before = await stockOf('KTL-001')
    const order = await place('KTL-001', 2, '4000000000000002')
    await announce(order)
    await ended(order.id, 'cancelled')
    await until('the stock is back', async () => (await stockOf('KTL-001')).available === before.available)
  })

  test('cancels an order that is out of stock', async () => {
    const order = await place('CLK-002', 1)
    await announce(order)
    await ended(order.id, 'cancelled')
    expect((await orderOf(order.id)).reason).toBe('Only 0 of CLK-002 left, 1 wanted')
  })

  test('sets poison aside and goes on', async () => {
    const order = await place('MUG-002', 1)
    const event = orderPlaced(order, 'poison')
    await publish(event, 'not JSON')
    await publish(event, '{"id":1}')
    await publish(event, '{}', {})
    await announce(order)
    await ended(order.id, 'confirmed')
    const depth = async (queue: string) => (await channel.queueDeclare(queue, { passive: true })).messageCount
    await until('all three are dead letters', async () => (await depth(`${exchange}.dead-letters`)) === 3)
    expect(await depth(`${queuePrefix}inventory.order-placed`)).toBe(0)
  })

  test('comes back after the connection was cut, with the orders placed meanwhile', async () => {
    relay.cut()
    await until('nobody consumes', async () => (await consumers()) === 0)
    const stock = await stockOf('CBL-001')
    const orders = await Promise.all(Array.from({ length: 20 }, () => place('CBL-001', 1)))
    for (const order of orders) await announce(order)
    for (const order of orders.slice(0, 5)) await announce(order)
    relay.open()
    for (const order of orders) await ended(order.id, 'confirmed')
    await until('every queue is empty and has its consumer', async () => (await consumers()) === QUEUES.length)
    expect(await stockOf('CBL-001')).toMatchObject({ available: stock.available - 20, reserved: stock.reserved + 20 })
  }, 30_000)
})
