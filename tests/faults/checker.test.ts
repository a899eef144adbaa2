import { describe, expect, test } from 'bun:test'
import type { Books } from './books.ts'
import { findAnomalies } from './checker.ts'

const LINES = [{ sku: 'MUG-001', quantity: 2 }]

function accepted(orderId: string, number: number) {
  const outcome = { kind: 'accepted', orderId } as const
  return { key: `key-${orderId}`, customer: 'ada', number, attempts: 1, outcome }
}

function placed(orderId: string) {
  return { type: 'order.placed', eventId: `event-${orderId}`, subject: 'ada', orderId }
}

/** Two orders of one customer, the second declined: everything as it should be. */
const RIGHT: Books = {
  load: { placed: [accepted('one', 1), accepted('two', 2)], answers: { 201: 2 } },
  orders: [
    { id: 'one', customer: 'ada', status: 'confirmed', lines: LINES },
    { id: 'two', customer: 'ada', status: 'cancelled', lines: LINES },
  ],
  reservations: new Map([
    ['one', 'kept'],
    ['two', 'released'],
  ]),
  stock: [{ sku: 'MUG-001', opening: 10, available: 8, reserved: 2 }],
  payments: new Map([
    ['one', 'confirmed'],
    ['two', 'declined'],
  ]),
  effects: new Map([
    ['one', 1],
    ['two', 1],
  ]),
  deliveries: [placed('one'), placed('two'), placed('one')],
  subjectIsCustomer: true,
  outbox: [],
  unfinished: new Map([['the outbox of orders', 0]]),
  deadLetters: [],
}

const wrongs: readonly { readonly name: string; readonly books: Partial<Books>; readonly finds: readonly string[] }[] =
  [
    {
      name: 'an acknowledged order that nobody has',
      books: { load: { placed: [...RIGHT.load.placed, accepted('three', 3)], answers: {} } },
      finds: ['order three was acknowledged, and the order service does not have it'],
    },
    {
      name: 'one order under two keys',
      books: { load: { placed: [accepted('one', 1), { ...accepted('one', 2), key: 'another' }], answers: {} } },
      finds: ['order one was given to two keys, key-one and another'],
    },
    {
      name: 'an order that was never announced',
      books: {
        effects: new Map([['one', 1]]),
        reservations: new Map([['one', 'kept']]),
        payments: new Map([['one', 'confirmed']]),
      },
      finds: ['order two was stored and never announced'],
    },
    {
      name: 'an order that took effect twice',
      books: {
        effects: new Map([
          ['one', 2],
          ['two', 1],
        ]),
      },
      finds: ['order one took effect 2 times'],
    },
    {
      name: 'an event without an order',
      books: { deliveries: [...(RIGHT.deliveries ?? []), placed('ghost')] },
      finds: ['order ghost was announced, and does not exist'],
    },
    {
      name: 'stock that was taken twice',
      books: { stock: [{ sku: 'MUG-001', opening: 10, available: 6, reserved: 4 }] },
      finds: ['stock of MUG-001: 10 at first, 6 free and 4 held, while orders hold 2'],
    },
    {
      name: 'stock that vanished',
      books: { stock: [{ sku: 'MUG-001', opening: 10, available: 7, reserved: 2 }] },
      finds: ['stock of MUG-001: 10 at first, 7 free and 2 held, while orders hold 2'],
    },
    {
      name: 'a confirmed order that nobody has paid',
      books: { payments: new Map([['two', 'declined']]) },
      finds: ['order one is confirmed, with stock and payment: kept none'],
    },
    {
      name: 'an order that never ended',
      books: { orders: RIGHT.orders.map((order) => ({ ...order, status: 'pending' })) },
      finds: [
        'order one is pending, with stock and payment: kept confirmed',
        'order two is pending, with stock and payment: released declined',
      ],
    },
    {
      name: 'a payment for an order that does not exist',
      books: { payments: new Map([...RIGHT.payments, ['ghost', 'confirmed']]) },
      finds: ['stock or payment of order ghost, which does not exist'],
    },
    {
      name: 'events of one subject in another order',
      books: { deliveries: [placed('two'), placed('one')] },
      finds: ['order two of ada was announced before one, which came first'],
    },
    {
      name: 'an entry that nobody has settled',
      books: { outbox: [{ state: 'unknown', reason: 'timeout', orderId: undefined }] },
      finds: ['the outbox still has a unknown entry (timeout)'],
    },
    {
      name: 'a parked entry without a reason',
      books: { outbox: [{ state: 'parked', reason: null, orderId: 'one' }] },
      finds: ['the outbox still has a parked entry (one)'],
    },
    {
      name: 'messages left in a queue',
      books: { unfinished: new Map([['inventory.order-placed', 3]]) },
      finds: ['3 left in inventory.order-placed'],
    },
    {
      name: 'a dead letter',
      books: { deadLetters: ['order.placed 1 of inventory: wrong-data'] },
      finds: ['a dead letter: order.placed 1 of inventory: wrong-data'],
    },
  ]

describe('the checker of the books', () => {
  test('finds nothing where everything is right, repeats included', () => {
    expect(findAnomalies(RIGHT)).toEqual([])
  })

  test.each(wrongs)('finds $name', ({ books, finds }) => {
    expect(findAnomalies({ ...RIGHT, ...books })).toEqual([...finds])
  })

  test('takes an order that is parked with a reason for accounted for', () => {
    const parked = { state: 'parked', reason: 'the broker returned it', orderId: 'two' }
    const books = {
      effects: new Map([['one', 1]]),
      reservations: new Map([['one', 'kept']]),
      payments: new Map([['one', 'confirmed']]),
      orders: RIGHT.orders.map((order) => (order.id === 'two' ? { ...order, status: 'pending' } : order)),
      deliveries: [placed('one')],
      outbox: [parked],
    }
    expect(findAnomalies({ ...RIGHT, ...books })).toEqual([])
  })
})
