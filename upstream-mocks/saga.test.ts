import { describe, expect, test } from 'bun:test'
import type { ShopEvent } from './broker/broker.ts'
import { createInventory } from './inventory/index.ts'
import { createOrders } from './orders/index.ts'
import type { Order } from './orders/order-book.ts'
import { createPayments } from './payments/index.ts'
import { createMemoryBroker } from './testing/memory-broker.ts'
import { json, orderPlaced } from './testing/requests.ts'

const STOCK = new Map([['MUG-001', 10]])

function createShop() {
  const broker = createMemoryBroker()
  const orders = createOrders({ broker })
  const inventory = createInventory({ broker, stock: STOCK })
  const payments = createPayments({ broker })
  return {
    broker,
    async place(quantity: number, card?: string): Promise<Order> {
      const body = { items: [{ sku: 'MUG-001', quantity }], ...(card ? { payment: { card } } : {}) }
      return (await (await orders.app.request('/orders', json('POST', body))).json()) as Order
    },
    order: async (id: string) => (await (await orders.app.request(`/orders/${id}`)).json()) as Order,
    stock: async () => (await inventory.app.request('/stock/MUG-001')).json(),
    payment: (id: string) => payments.app.request(`/payments/${id}`),
    types: () => broker.published.map(({ type }) => type),
  }
}

describe('the order saga', () => {
  const endings = [
    {
      name: 'confirms an order that is in stock and paid',
      quantity: 3,
      card: '4242424242424242',
      events: ['stock.reserved', 'payment.confirmed'],
      order: { status: 'confirmed' },
      stock: { sku: 'MUG-001', available: 7, reserved: 3 },
    },
    {
      name: 'confirms an order without a card',
      quantity: 3,
      card: undefined,
      events: ['stock.reserved', 'payment.confirmed'],
      order: { status: 'confirmed' },
      stock: { sku: 'MUG-001', available: 7, reserved: 3 },
    },
    {
      name: 'cancels an order whose card is declined, and puts the stock back',
      quantity: 3,
      card: '4000000000000002',
      events: ['stock.reserved', 'payment.declined'],
      order: { status: 'cancelled', reason: 'The card ending in 0002 was declined' },
      stock: { sku: 'MUG-001', available: 10, reserved: 0 },
    },
    {
      name: 'cancels an order that the stock does not cover, and asks for no payment',
      quantity: 11,
      card: '4242424242424242',
      events: ['stock.rejected'],
      order: { status: 'cancelled', reason: 'Only 10 of MUG-001 left, 11 wanted' },
      stock: { sku: 'MUG-001', available: 10, reserved: 0 },
    },
  ]

  test.each(endings)('$name', async ({ quantity, card, events, order, stock }) => {
    const shop = createShop()
    const placed = await shop.place(quantity, card)
    const { id } = placed
    expect(placed.status).toBe('pending')
    await shop.broker.deliver(orderPlaced(placed))
    expect(shop.types()).toEqual(events)
    expect(await shop.order(id)).toMatchObject(order)
    expect(await shop.stock()).toEqual(stock)
    expect((await shop.payment(id)).status).toBe(events.includes('stock.reserved') ? 200 : 404)
  })

  test.each(endings)('$name, also when every event is repeated', async ({ quantity, card, events, order, stock }) => {
    const shop = createShop()
    const placed = orderPlaced(await shop.place(quantity, card))
    await shop.broker.deliver(placed)
    for (const event of [placed, ...shop.broker.published].reverse()) await shop.broker.deliver(event)
    expect(shop.types()).toEqual(events)
    expect(await shop.order(placed.subject ?? '')).toMatchObject(order)
    expect(await shop.stock()).toEqual(stock)
  })

  test('reserves once when the same order is announced under two event ids', async () => {
    const shop = createShop()
    const order = await shop.place(3)
    await shop.broker.deliver(orderPlaced(order, 'event-1'))
    await shop.broker.deliver(orderPlaced(order, 'event-2'))
    expect(await shop.stock()).toEqual({ sku: 'MUG-001', available: 7, reserved: 3 })
    expect((await shop.order(order.id)).status).toBe('confirmed')
  })

  test('publishes what a lost connection swallowed, when the event comes again', async () => {
    const shop = createShop()
    const placed = orderPlaced(await shop.place(3))
    shop.broker.failNextPublish()
    await expect(shop.broker.deliver(placed)).rejects.toThrow('The connection was lost')
    expect(shop.types()).toEqual([])
    await shop.broker.deliver(placed)
    expect(shop.types()).toEqual(['stock.reserved', 'payment.confirmed'])
    expect(await shop.stock()).toEqual({ sku: 'MUG-001', available: 7, reserved: 3 })
  })

  test('gives consequences the same ids after a restart, so that others recognise them', async () => {
    const first = createShop()
    const order = await first.place(1)
    await first.broker.deliver(orderPlaced(order))
    const restarted = createShop()
    await restarted.broker.deliver(orderPlaced(order))
    const idsOf = ({ broker }: typeof first) => broker.published.map(({ id }) => id)
    expect(new Set(idsOf(first)).size).toBe(2)
    expect(idsOf(restarted)).toEqual(idsOf(first))
  })

  test('keeps source, subject and trace on every event', async () => {
    const shop = createShop()
    const placed = orderPlaced(await shop.place(1))
    await shop.broker.deliver(placed)
    expect(shop.broker.published.map(({ source }) => source)).toEqual(['/shop/inventory', '/shop/payments'])
    for (const event of shop.broker.published) {
      expect(event).toMatchObject({ subject: placed.subject, traceparent: placed.traceparent })
    }
  })

  test('lets the first ending stand', async () => {
    const shop = createShop()
    const { id } = await shop.place(1)
    const ending = (type: string): ShopEvent => ({ ...orderPlaced({ id }, type), type, data: { orderId: id } })
    await shop.broker.deliver(ending('payment.confirmed'))
    await shop.broker.deliver(ending('stock.rejected'))
    expect((await shop.order(id)).status).toBe('confirmed')
  })

  test('puts stock back for good when the refusal arrives before the order', async () => {
    const shop = createShop()
    const order = await shop.place(3)
    const declined = { ...orderPlaced(order, 'early'), type: 'payment.declined', data: { orderId: order.id } }
    await shop.broker.deliver(declined)
    await shop.broker.deliver(orderPlaced(order))
    expect(await shop.stock()).toEqual({ sku: 'MUG-001', available: 10, reserved: 0 })
    expect((await shop.order(order.id)).status).toBe('cancelled')
  })

  test.each([
    { name: 'a string', data: 'order' },
    { name: 'no items', data: { id: 'order-1', customer: 'user-alice', items: [] } },
    { name: 'a negative quantity', data: { id: 'o', customer: 'c', items: [{ sku: 'MUG-001', quantity: -3 }] } },
    { name: 'no id', data: { customer: 'user-alice', items: [{ sku: 'MUG-001', quantity: 1 }] } },
    { name: 'nothing', data: undefined },
  ])('drops an order event whose data is $name', async ({ data }) => {
    const shop = createShop()
    await shop.broker.deliver({ ...orderPlaced({ id: 'order-1' }), data })
    expect(shop.broker.dropped).toEqual(['inventory.order-placed'])
    expect(shop.types()).toEqual([])
    expect(await shop.stock()).toEqual({ sku: 'MUG-001', available: 10, reserved: 0 })
  })
})
