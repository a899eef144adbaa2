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

/** What the command prints, and how it exits. */
async function command(data: string): Promise<{ code: number; output: string }> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'books.ts'), data], {
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [output, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  return { code: await child.exited, output: output + errors }
}

describe('the command', () => {
  test('prints the sums and exits with 0 when they are right', async () => {
    await trade()
    const { code, output } = await command(folder)
    expect(output).toContain('orders   2 = 1 confirmed + 1 cancelled + 0 pending; 1 charged\n')
    expect(output).toMatch(
      /pieces {3}(\d+) at the opening = \d+ available \+ 2 reserved\nevents {3}0 owed or put off\n/,
    )
    expect(output).toContain('The books add up.')
    expect(code).toBe(0)
  })

  test('says what is wrong and exits with 1, also for a folder without books', async () => {
    await trade()
    tamper('inventory', "UPDATE stock SET available = available + 1 WHERE sku = 'MUG-001'")
    tamper('orders', "UPDATE orders SET status = 'confirmed'")
    const wrong = await command(folder)
    expect(wrong.output).toMatch(/MUG-001: \d+ \+ 2 pieces, and there were \d+\n/)
    expect(wrong.output).toContain('is confirmed, its stock released, its payment declined')
    expect(wrong.output).not.toContain('add up')
    expect(wrong.code).toBe(1)
    const missing = await command(join(folder, 'nowhere'))
    expect([missing.code, missing.output]).toEqual([1, expect.stringContaining('Cannot check the books: there is no ')])
  })
})

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
