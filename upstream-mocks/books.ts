import { Database } from 'bun:sqlite'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { USUAL_DATA } from './index.ts'

/** What the books of a shop say, and what in them cannot be. */
export interface Books {
  readonly orders: number
  readonly pending: number
  readonly confirmed: number
  readonly cancelled: number
  readonly charges: number
  /** Pieces of all SKUs. */
  readonly stock: { readonly opening: number; readonly available: number; readonly reserved: number }
  /** Events owed to the broker and events that wait in delay queues, by service. */
  readonly owed: Readonly<Record<string, number>>
  readonly deferred: Readonly<Record<string, number>>
  /** Everything that is wrong, each a sentence; empty when the books are right. */
  readonly mistakes: readonly string[]
}

/** How far the shop should be. */
export interface BookOptions {
  /** Everything has been handled: no order may be pending and no event owed. */
  readonly settled: boolean
}

interface OrderRow {
  readonly id: string
  readonly status: 'pending' | 'confirmed' | 'cancelled'
  readonly items: string
}

interface ReservationRow {
  readonly order_id: string
  readonly state: 'held' | 'kept' | 'released' | 'refused'
  readonly lines: string
}

interface StockRow {
  readonly sku: string
  readonly opening: number
  readonly available: number
  readonly reserved: number
}

/**
 * Compares the databases of orders, inventory and payments in `folder`, while the shop runs or after. Stock never
 * appears or vanishes, at every moment; once `settled`, every order has ended as its reservation and its payment say.
 */
export function checkBooks(folder: string, { settled }: BookOptions): Books {
  const orders = readOnly(folder, 'orders')
  const inventory = readOnly(folder, 'inventory')
  const payments = readOnly(folder, 'payments')
  const databases = { orders, inventory, payments }
  try {
    const orderRows = orders.query<OrderRow, []>('SELECT id, status, items FROM orders').all()
    const reservations = inventory.query<ReservationRow, []>('SELECT order_id, state, lines FROM reservations').all()
    const stock = inventory.query<StockRow, []>('SELECT * FROM stock').all()
    const paid = payments.query<{ order_id: string; status: string }, []>('SELECT order_id, status FROM payments').all()
    const owed = countAll(databases, 'outgoing')
    const mistakes = stockMistakes(inventory)
    if (settled) {
      mistakes.push(...orderMistakes(orderRows, mapOf(reservations), mapOf(paid)))
      const known = new Set(orderRows.map(({ id }) => id))
      for (const { order_id: id } of [...reservations, ...paid]) {
        if (!known.has(id)) mistakes.push(`There is a reservation or payment for ${id}, and no such order`)
      }
      for (const [service, count] of Object.entries(owed)) {
        if (count > 0) mistakes.push(`${service} still owes the broker ${count} events`)
      }
    }
    const ofStatus = (status: string) => orderRows.filter((row) => row.status === status).length
    return {
      orders: orderRows.length,
      pending: ofStatus('pending'),
      confirmed: ofStatus('confirmed'),
      cancelled: ofStatus('cancelled'),
      charges: paid.filter(({ status }) => status === 'confirmed').length,
      stock: { opening: sum(stock, 'opening'), available: sum(stock, 'available'), reserved: sum(stock, 'reserved') },
      owed,
      deferred: countAll(databases, 'deferred'),
      mistakes,
    }
  } finally {
    for (const database of Object.values(databases)) database.close()
  }
}

/** The books in a few lines: what was compared, what still waits, and everything that is wrong. */
export function describeBooks(books: Books): string {
  const { orders, confirmed, cancelled, pending, charges, stock, owed, deferred, mistakes } = books
  const { opening, available, reserved } = stock
  const waiting = [...Object.values(owed), ...Object.values(deferred)].reduce((sum, count) => sum + count, 0)
  return [
    `orders   ${orders} = ${confirmed} confirmed + ${cancelled} cancelled + ${pending} pending; ${charges} charged`,
    `pieces   ${opening} at the opening = ${available} available + ${reserved} reserved`,
    `events   ${waiting} owed or put off`,
    mistakes.length === 0 ? verdict(books) : mistakes.join('\n'),
  ].join('\n')
}

/** An order on its way has no ending yet to hold against the others' books. */
function verdict(books: Books): string {
  return isSettled(books) ? 'The books add up.' : 'So far the books add up: ask again once nothing is on its way.'
}

function isSettled({ pending, owed }: Books): boolean {
  return pending === 0 && Object.values(owed).every((count) => count === 0)
}

function readOnly(folder: string, service: string): Database {
  const file = join(folder, `${service}.db`)
  if (!existsSync(file)) throw new Error(`Cannot check the books: there is no ${file}`)
  const database = new Database(file, { readonly: true, strict: true })
  // A service that was killed repairs its file while it starts again.
  database.run('PRAGMA busy_timeout = 5000')
  return database
}

/** One read, so that it is one moment of a shop that runs. */
function stockMistakes(inventory: Database): string[] {
  const rows = inventory
    .query<StockRow & { readonly held: number }, []>(
      `SELECT stock.*, coalesce((
         SELECT sum(line.value ->> 'quantity') FROM reservations, json_each(reservations.lines) AS line
         WHERE state IN ('held', 'kept') AND line.value ->> 'sku' = stock.sku
       ), 0) AS held FROM stock`,
    )
    .all()
  return rows.flatMap(({ sku, opening, available, reserved, held }) => [
    ...(available + reserved === opening
      ? []
      : [`${sku}: ${available} + ${reserved} pieces, and there were ${opening}`]),
    ...(reserved === held ? [] : [`${sku}: ${reserved} pieces are reserved, and orders hold ${held}`]),
  ])
}

type ByOrder<Row> = ReadonlyMap<string, Row>

function orderMistakes(
  orders: readonly OrderRow[],
  reservations: ByOrder<ReservationRow>,
  payments: ByOrder<{ readonly status: string }>,
): string[] {
  return orders.flatMap(({ id, status, items }) => {
    const reservation = reservations.get(id)
    const payment = payments.get(id)?.status
    const found = `order ${id} is ${status}, its stock ${reservation?.state ?? 'not asked for'}, its payment ${payment ?? 'not asked for'}`
    if (status === 'confirmed') {
      if (reservation?.state !== 'kept' || payment !== 'confirmed') return [found]
      return pieces(items) === pieces(reservation.lines) ? [] : [`${found}, and other pieces are held than ordered`]
    }
    const isUndone = reservation?.state === 'refused' ? payment === undefined : payment === 'declined'
    return status === 'cancelled' && isUndone && reservation?.state !== 'held' && reservation?.state !== 'kept'
      ? []
      : [found]
  })
}

function pieces(lines: string): number {
  return sum(JSON.parse(lines) as { quantity: number }[], 'quantity')
}

function mapOf<Row extends { readonly order_id: string }>(rows: readonly Row[]): ByOrder<Row> {
  return new Map(rows.map((row) => [row.order_id, row]))
}

function sum<Key extends string>(rows: readonly Readonly<Record<Key, number>>[], key: Key): number {
  return rows.reduce((total, row) => total + row[key], 0)
}

function countAll(databases: Readonly<Record<string, Database>>, table: 'outgoing' | 'deferred') {
  const count = (database: Database) =>
    database.query<{ n: number }, []>(`SELECT count(*) AS n FROM ${table}`).get()?.n ?? 0
  return Object.fromEntries(Object.entries(databases).map(([service, database]) => [service, count(database)]))
}

/** `bun upstream-mocks/books.ts [folder]`: exits with 1 when something is wrong. */
function main(folder: string): number {
  try {
    const running = checkBooks(folder, { settled: false })
    const books = isSettled(running) ? checkBooks(folder, { settled: true }) : running
    console.log(describeBooks(books))
    return books.mistakes.length === 0 ? 0 : 1
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error))
    return 1
  }
}

if (import.meta.main) process.exit(main(process.argv[2] ?? USUAL_DATA))
