import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkBooks } from './books.ts'
import { openDatabase } from './consumer/index.ts'
import { createInventory } from './inventory/index.ts'
import { createOrders } from './orders/index.ts'
import type { Order } from './orders/order-book.ts'
import { createPayments } from './payments/index.ts'
import { createPostman } from './testing/postman.ts'
import { json, orderPlaced } from './testing/requests.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'shop-books-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Two orders to their end: one paid, one declined. */
async function trade(): Promise<void> {
  const options = { data: folder }
  const [inventory, payments, orders] = [createInventory(options), createPayments(options), createOrders(options)]
  const post = createPostman([inventory, payments, orders])
  for (const card of ['4242424242424242', '4000000000000002']) {
    const body = { items: [{ sku: 'MUG-001', quantity: 2 }], payment: { card } }
    post.deliver(orderPlaced((await (await orders.app.request('/orders', json('POST', body))).json()) as Order))
  }
  for (const service of [inventory, payments, orders]) await service.stop()
}

function tamper(service: string, statement: string): void {
  const database = openDatabase(join(folder, `${service}.db`))
  database.run(statement)
  database.close()
}

describe('the books', () => {
  test('add up after a sale and a refusal', async () => {
    await trade()
    expect(checkBooks(folder, { settled: true })).toMatchObject({
      orders: 2,
      pending: 0,
      confirmed: 1,
      cancelled: 1,
      charges: 1,
      stock: { reserved: 2 },
      owed: { orders: 0, inventory: 0, payments: 0 },
      mistakes: [],
    })
  })

  test.each([
    {
      name: 'stock that vanished',
      service: 'inventory',
      sql: "UPDATE stock SET available = available - 1 WHERE sku = 'MUG-001'",
      says: 'pieces, and there were',
    },
    {
      name: 'stock put back twice',
      service: 'inventory',
      sql: "UPDATE stock SET available = 120, reserved = 0 WHERE sku = 'MUG-001'",
      says: '0 pieces are reserved, and orders hold 2',
    },
    {
      name: 'a lost order',
      service: 'orders',
      sql: "DELETE FROM orders WHERE status = 'confirmed'",
      says: 'and no such order',
    },
    {
      name: 'a lost event',
      service: 'orders',
      sql: "UPDATE orders SET status = 'pending' WHERE status = 'confirmed'",
      says: 'is pending',
    },
    {
      name: 'a lost charge',
      service: 'payments',
      sql: "DELETE FROM payments WHERE status = 'confirmed'",
      says: 'its payment not asked for',
    },
    {
      name: 'a charge for a cancelled order',
      service: 'payments',
      sql: "UPDATE payments SET status = 'confirmed'",
      says: 'is cancelled, its stock released, its payment confirmed',
    },
    {
      name: 'an order that was changed',
      service: 'orders',
      sql: `UPDATE orders SET items = '[{"sku":"MUG-001","quantity":1}]'`,
      says: 'other pieces are held than ordered',
    },
    {
      name: 'an event still owed',
      service: 'payments',
      sql: "INSERT INTO outgoing (subject, event) VALUES ('s', '{}')",
      says: 'payments still owes the broker 1 events',
    },
  ])('show $name', async ({ service, sql, says }) => {
    await trade()
    tamper(service, sql)
    expect(checkBooks(folder, { settled: true }).mistakes.join('\n')).toContain(says)
  })

  test('cannot be checked where there are none', () => {
    expect(() => checkBooks(folder, { settled: true })).toThrow('Cannot check the books: there is no ')
  })
})
