import { describe, expect, test } from 'bun:test'
import { Poison } from './consumer/index.ts'
import { createInventory } from './inventory/index.ts'
import { createOrders } from './orders/index.ts'
import type { Order } from './orders/order-book.ts'
import { createPayments } from './payments/index.ts'
import { createPostman } from './testing/postman.ts'
import { anEvent, anOrder, json, orderPlaced } from './testing/requests.ts'

const STOCK = new Map([['MUG-001', 10]])

function createShop() {
  const orders = createOrders()
  const inventory = createInventory({ stock: STOCK })
  const payments = createPayments()
  const post = createPostman([inventory, payments, orders])
  return {
    post,
    inventory,
    orders,
    async place(quantity: number, card?: string): Promise<Order> {
      const body = { items: [{ sku: 'MUG-001', quantity }], ...(card ? { payment: { card } } : {}) }
      return (await (await orders.app.request('/orders', json('POST', body))).json()) as Order
    },
    order: async (id: string) => (await (await orders.app.request(`/orders/${id}`)).json()) as Order,
    stock: async () => (await inventory.app.request('/stock/MUG-001')).json(),
    payment: (id: string) => payments.app.request(`/payments/${id}`),
    types: () => post.carried.map(({ type }) => type),
  }
}

const outcome = (type: string, orderId: string, id?: string) => {
  const decidedAt = '2026-01-01T00:00:00.000Z'
  const status = type === 'payment.confirmed' ? 'confirmed' : 'declined'
  return anEvent(type, orderId, { orderId, status, decidedAt, reason: 'as the test wants it' }, id)
}

describe('the order saga', () => {
  const endings = [
    {
      name: 'confirms an order that is in stock and paid',
      quantity: 3,
      card: '4242424242424242',
      events: ['stock.reserved', 'payment.confirmed', 'order.confirmed'],
      order: { status: 'confirmed' },
      stock: { sku: 'MUG-001', available: 7, reserved: 3 },
    },
    {
      name: 'confirms an order without a card',
      quantity: 3,
      card: undefined,
      events: ['stock.reserved', 'payment.confirmed', 'order.confirmed'],
      order: { status: 'confirmed' },
      stock: { sku: 'MUG-001', available: 7, reserved: 3 },
    },
    {
      name: 'cancels an order whose card is declined, and puts the stock back',
      quantity: 3,
      card: '4000000000000002',
      events: ['stock.reserved', 'payment.declined', 'order.cancelled'],
      order: { status: 'cancelled', reason: 'The card ending in 0002 was declined' },
      stock: { sku: 'MUG-001', available: 10, reserved: 0 },
    },
    {
      name: 'cancels an order that the stock does not cover, and asks for no payment',
      quantity: 11,
      card: '4242424242424242',
      events: ['stock.rejected', 'order.cancelled'],
      order: { status: 'cancelled', reason: 'Only 10 of MUG-001 left, 11 wanted' },
      stock: { sku: 'MUG-001', available: 10, reserved: 0 },
    },
  ]

  test.each(endings)('$name', async ({ quantity, card, events, order, stock }) => {
    const shop = createShop()
    const placed = await shop.place(quantity, card)
    const { id } = placed
    expect(placed.status).toBe('pending')
    shop.post.deliver(orderPlaced(placed))
    expect(shop.types()).toEqual(events)
    expect(await shop.order(id)).toMatchObject(order)
    expect(await shop.stock()).toEqual(stock)
    expect((await shop.payment(id)).status).toBe(events.includes('stock.reserved') ? 200 : 404)
  })

  test.each(endings)('$name, also when every event is repeated', async ({ quantity, card, events, order, stock }) => {
    const shop = createShop()
    const placed = orderPlaced(await shop.place(quantity, card))
    shop.post.deliver(placed)
    for (const event of [placed, ...shop.post.carried].reverse()) shop.post.deliver(event)
    expect(shop.types()).toEqual(events)
    expect(await shop.order(placed.subject ?? '')).toMatchObject(order)
    expect(await shop.stock()).toEqual(stock)
  })

  test('reserves, charges and announces once when the same order comes under two event ids', async () => {
    const shop = createShop()
    const order = await shop.place(3)
    shop.post.deliver(orderPlaced(order, 'event-1'))
    shop.post.deliver(orderPlaced(order, 'event-2'))
    expect(await shop.stock()).toEqual({ sku: 'MUG-001', available: 7, reserved: 3 })
    expect(shop.types()).toEqual(['stock.reserved', 'payment.confirmed', 'order.confirmed'])
  })

  test('gives consequences the same ids after all state was lost, so that others recognise them', () => {
    const [first, second] = [createInventory({ stock: STOCK }), createInventory({ stock: STOCK })].map((inventory) => {
      inventory.inbox.take('inventory.order-placed', orderPlaced(anOrder()))
      return inventory.inbox.outgoing.oldest(1, [])[0]?.event
    })
    expect(first?.id).toMatch(/^[0-9a-f]{32}$/)
    expect(second?.id).toBe(first?.id ?? '')
  })

  test('keeps source, subject and trace on every event', async () => {
    const shop = createShop()
    const placed = orderPlaced(await shop.place(1))
    shop.post.deliver(placed)
    const sources = shop.post.carried.map(({ source }) => source)
    expect(sources).toEqual(['/shop/inventory', '/shop/payments', '/shop/orders'])
    for (const event of shop.post.carried) {
      expect(event).toMatchObject({ subject: placed.subject, traceparent: placed.traceparent })
    }
  })

  test('lets the first ending stand when a decline comes after the confirmation', async () => {
    const shop = createShop()
    const { id, ...order } = await shop.place(3)
    shop.post.deliver(orderPlaced({ id, ...order }))
    shop.post.deliver(outcome('payment.declined', id))
    expect((await shop.order(id)).status).toBe('confirmed')
    expect(await shop.stock()).toEqual({ sku: 'MUG-001', available: 7, reserved: 3 })
  })

  test('announces the ending once however many confirmations come', async () => {
    const shop = createShop()
    const { id, ...order } = await shop.place(1)
    shop.post.deliver(orderPlaced({ id, ...order }))
    for (const again of ['b', 'c', 'd']) shop.post.deliver(outcome('payment.confirmed', id, again))
    expect(shop.types().filter((type) => type === 'order.confirmed')).toHaveLength(1)
  })

  test('puts stock back for good when the refusal arrives before the order', async () => {
    const shop = createShop()
    const order = await shop.place(3)
    shop.post.deliver(outcome('payment.declined', order.id))
    shop.post.deliver(orderPlaced(order))
    expect(await shop.stock()).toEqual({ sku: 'MUG-001', available: 10, reserved: 0 })
    expect((await shop.order(order.id)).status).toBe('cancelled')
  })

  test('fails on the outcome of an order it does not know, so that it is tried again', async () => {
    const shop = createShop()
    const early = outcome('payment.confirmed', 'order-unknown')
    expect(() => shop.post.deliver(early)).toThrow('There is no order order-unknown yet')
    expect(() => shop.post.deliver(early)).toThrow('There is no order order-unknown yet')
  })

  test('fails on a confirmed order whose stock nobody holds: events that contradict each other need a person', async () => {
    const { inventory } = createShop()
    const confirmed = anEvent('order.confirmed', 'order-1', { orderId: 'order-1' })
    expect(() => inventory.inbox.take('q', confirmed)).toThrow('is unknown, not held')
  })

  test.each([
    { name: 'a string', data: 'order' },
    { name: 'no items', data: anOrder({ items: [] }) },
    { name: 'a negative quantity', data: anOrder({ items: [{ sku: 'MUG-001', quantity: -3 }] }) },
    { name: 'a whole card number', data: { ...anOrder(), payment: { cardLast4: '4242', card: '4242424242424242' } } },
    { name: 'no id', data: { ...anOrder(), id: undefined } },
    { name: 'nothing', data: undefined },
  ])('calls an order event poison whose data is $name', async ({ data }) => {
    const shop = createShop()
    const event = { ...orderPlaced({ id: 'order-1' }), data }
    expect(() => shop.inventory.inbox.take('inventory.order-placed', event)).toThrow(Poison)
    expect(shop.inventory.inbox.outgoing.count()).toBe(0)
    expect(await shop.stock()).toEqual({ sku: 'MUG-001', available: 10, reserved: 0 })
  })
})
