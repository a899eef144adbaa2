import { describe, expect, test } from 'bun:test'
import type { Service } from '../service/service.ts'
import { json } from '../testing/requests.ts'
import { createOrders } from './index.ts'
import type { Order } from './order-book.ts'

const NOW = Date.parse('2026-03-01T12:00:00Z')
const BODY = { items: [{ sku: 'MUG-001', quantity: 2 }] }
const ALICE = { 'x-user-id': 'user-alice' }

const place = ({ app }: Service, body: unknown, headers: Record<string, string> = ALICE) =>
  app.request('/orders', json('POST', body, headers))

const placed = async (orders: Service, headers: Record<string, string> = ALICE) =>
  (await (await place(orders, BODY, headers)).json()) as Order

describe('placing an order', () => {
  test('answers 201 with the pending order and where it is', async () => {
    const orders = createOrders({ now: () => NOW })
    const response = await place(orders, BODY)
    const order = (await response.json()) as Order
    expect(response.status).toBe(201)
    expect(response.headers.get('location')).toBe(`/orders/${order.id}`)
    expect(order).toEqual({
      id: expect.any(String),
      status: 'pending',
      customer: 'user-alice',
      items: BODY.items,
      createdAt: '2026-03-01T12:00:00.000Z',
      updatedAt: '2026-03-01T12:00:00.000Z',
    })
    expect(await (await orders.app.request(`/orders/${order.id}`, { headers: ALICE })).json()).toEqual(order)
  })

  test('keeps only the last four digits of the card', async () => {
    const response = await place(createOrders(), { ...BODY, payment: { card: '4000000000000002' } })
    const text = await response.text()
    expect(JSON.parse(text)).toMatchObject({ payment: { cardLast4: '0002' } })
    expect(text).not.toContain('400000')
  })

  const line = { sku: 'MUG-001', quantity: 1 }
  const refused = [
    { name: 'no items', body: {}, says: 'items' },
    { name: 'an empty list', body: { items: [] }, says: 'items' },
    { name: '51 items', body: { items: Array(51).fill(line) }, says: 'items' },
    { name: 'a quantity of 0', body: { items: [{ ...line, quantity: 0 }] }, says: 'items.0.quantity' },
    { name: 'a quantity of 100', body: { items: [{ ...line, quantity: 100 }] }, says: 'items.0.quantity' },
    { name: 'half a piece', body: { items: [{ ...line, quantity: 1.5 }] }, says: 'items.0.quantity' },
    { name: 'a quantity in words', body: { items: [{ ...line, quantity: '2' }] }, says: 'items.0.quantity' },
    { name: 'a SKU with a slash', body: { items: [{ ...line, sku: '../etc' }] }, says: 'items.0.sku' },
    { name: 'an unknown field', body: { ...BODY, customer: 'user-bob' }, says: 'customer' },
    { name: 'a card with letters', body: { ...BODY, payment: { card: 'visa' } }, says: 'payment.card' },
    { name: 'null', body: null, says: 'object' },
  ]
  test.each(refused)('refuses $name with 400 and names the mistake', async ({ body, says }) => {
    const response = await place(createOrders(), body)
    expect(response.status).toBe(400)
    expect(((await response.json()) as { detail: string }).detail).toContain(says)
  })

  test('takes the largest order allowed', async () => {
    const items = Array.from({ length: 50 }, (_, i) => ({ sku: `SKU-${i}`, quantity: 99 }))
    expect((await place(createOrders(), { items })).status).toBe(201)
  })
})

describe('an Idempotency-Key', () => {
  const keyed = (key: string, user = 'user-alice') => ({ 'x-user-id': user, 'idempotency-key': key })

  test('gives the same answer to the same order, however it is written', async () => {
    const orders = createOrders()
    const first = await place(orders, BODY, keyed('key-1'))
    const again = await orders.app.request('/orders', {
      method: 'POST',
      body: '{ "items": [ { "quantity": 2, "sku": "MUG-001" } ] }',
      headers: keyed('key-1'),
    })
    expect(again.status).toBe(201)
    expect(again.headers.get('location')).toBe(first.headers.get('location'))
    expect(await again.json()).toEqual(await first.json())
    const list = await orders.app.request('/orders', { headers: ALICE })
    expect(((await list.json()) as { items: Order[] }).items).toHaveLength(1)
  })

  test('refuses another order under the same key with 422', async () => {
    const orders = createOrders()
    await place(orders, BODY, keyed('key-1'))
    const other = await place(orders, { items: [{ sku: 'MUG-001', quantity: 3 }] }, keyed('key-1'))
    expect(other.status).toBe(422)
    expect(await other.json()).toMatchObject({ type: 'urn:shop:problem:idempotency-key-reused' })
  })

  test('belongs to its customer alone', async () => {
    const orders = createOrders()
    const hers = await placed(orders, keyed('key-1'))
    const his = await placed(orders, keyed('key-1', 'user-bob'))
    expect(his.id).not.toBe(hers.id)
  })

  test('is not used up by an order that was refused', async () => {
    const orders = createOrders()
    await place(orders, { items: [] }, keyed('key-1'))
    expect((await place(orders, BODY, keyed('key-1'))).status).toBe(201)
  })

  test('makes two orders when it is absent', async () => {
    const orders = createOrders()
    expect((await placed(orders)).id).not.toBe((await placed(orders)).id)
  })

  test.each([
    { name: 'an endless key', headers: keyed('k'.repeat(256)) },
    { name: 'an endless user', headers: keyed('key-1', 'u'.repeat(129)) },
  ])('refuses $name with 400', async ({ headers }) => {
    expect((await place(createOrders(), BODY, headers)).status).toBe(400)
  })
})

describe('reading orders', () => {
  test('lists the caller’s own, newest first', async () => {
    let now = NOW
    const orders = createOrders({ now: () => (now += 1_000) })
    const [first, , third] = [
      await placed(orders),
      await placed(orders, { 'x-user-id': 'user-bob' }),
      await placed(orders),
    ]
    const list = await orders.app.request('/orders', { headers: ALICE })
    expect(await list.json()).toEqual({ items: [third, first] })
  })

  test('refuses a list for nobody with 401', async () => {
    expect((await createOrders().app.request('/orders')).status).toBe(401)
  })

  test('hides one customer’s order from another', async () => {
    const orders = createOrders()
    const { id } = await placed(orders)
    const other = await orders.app.request(`/orders/${id}`, { headers: { 'x-user-id': 'user-bob' } })
    expect(other.status).toBe(404)
  })

  test('answers 404 to an order nobody placed', async () => {
    expect((await createOrders().app.request('/orders/none', { headers: ALICE })).status).toBe(404)
  })
})
