import { Database } from 'bun:sqlite'
import { existsSync } from 'node:fs'
import type { BookedOrder, Books, Delivery, OutboxRemainder } from './books.ts'
import type { LoadResult } from './load.ts'
import { CONSUMERS, type ConsumerName } from './names.ts'
import type { Scene } from './scene.ts'

/** What can be read from the files alone, while everything runs: all but what the broker has. */
export function readBooks(scene: Scene, load: LoadResult): Books {
  const of = <Row>(party: ConsumerName, sql: string) => read<Row>(scene.storage(party), sql)
  return {
    load,
    // An outcome that a full disk did not take is committed late, and keeps the place it gets then.
    subjectIsCustomer: scene.plan.subjectIsCustomer && scene.disk === undefined,
    orders: of<OrderRow>('orders', 'SELECT id, customer, status, items FROM orders').map(toOrder),
    reservations: byOrder(of('inventory', 'SELECT order_id, state AS value FROM reservations')),
    stock: of('inventory', 'SELECT sku, opening, available, reserved FROM stock'),
    payments: byOrder(of('payments', 'SELECT order_id, status AS value FROM payments')),
    effects: byOrder(of('ledger', 'SELECT order_id, count(*) AS value FROM effects GROUP BY order_id')),
    outbox: readOutbox(scene.storage('outbox')),
    unfinished: new Map(
      CONSUMERS.map((party) => [`the outbox of ${party}`, countRows(scene.storage(party), 'outgoing')]),
    ),
    deliveries: undefined,
    deadLetters: [],
  }
}

/** What the broker has in the end. Empties the queues that are only read. */
export async function readBroker({ operator, names, plan }: Scene): Promise<BrokerBooks> {
  const [depths, letters, observed] = await Promise.all([
    operator.depths(names.queues),
    operator.drain(names.deadLetters),
    plan.observed ? operator.drain(names.observer) : undefined,
  ])
  return {
    depths,
    deadLetters: letters.map(({ properties }) => describeLetter(properties.headers ?? {})),
    deliveries: observed?.map((message) => toDelivery(message.properties.headers ?? {}, message.bodyString())),
  }
}

/** What is only known to the broker. */
export interface BrokerBooks extends Pick<Books, 'deadLetters' | 'deliveries'> {
  readonly depths: ReadonlyMap<string, number>
}

interface OrderRow {
  readonly id: string
  readonly customer: string
  readonly status: string
  readonly items: string
}

function toOrder({ items, ...rest }: OrderRow): BookedOrder {
  return { ...rest, lines: JSON.parse(items) }
}

function byOrder<Value>(rows: readonly { order_id: string; value: Value }[]): Map<string, Value> {
  return new Map(rows.map(({ order_id, value }) => [order_id, value]))
}

interface OutboxRow {
  readonly state: string
  readonly reason: string | null
  readonly event: string | null
}

/** What an outbox still has. */
export function readOutbox(file: string): OutboxRemainder[] {
  return read<OutboxRow>(file, 'SELECT state, reason, event FROM entries').map(({ state, reason, event }) => {
    const data = event === null ? undefined : JSON.parse(event).data
    return { state, reason, orderId: data?.id }
  })
}

/** How many rows a table of a party's database has. */
export function countRows(file: string, table: 'orders' | 'effects' | 'outgoing'): number {
  return read<{ n: number }>(file, `SELECT count(*) AS n FROM ${table}`)[0]?.n ?? 0
}

function toDelivery(headers: Readonly<Record<string, unknown>>, body: string | null): Delivery {
  const type = String(headers.cloudEvents_type)
  const data = JSON.parse(body ?? '{}')
  const subject = headers.cloudEvents_subject === undefined ? undefined : String(headers.cloudEvents_subject)
  return {
    type,
    eventId: String(headers.cloudEvents_id),
    subject,
    orderId: type === 'order.placed' ? data?.id : data?.orderId,
  }
}

function read<Row>(file: string, sql: string): Row[] {
  if (!existsSync(file)) return []
  const database = new Database(file, { readonly: true })
  try {
    database.run('PRAGMA busy_timeout = 1000')
    return database.query<Row, []>(sql).all()
  } finally {
    database.close()
  }
}

function describeLetter(headers: Readonly<Record<string, unknown>>): string {
  const [deaths] = Array.isArray(headers['x-death']) ? headers['x-death'] : []
  const why = headers['x-error-type'] ?? deaths?.reason
  const queue = headers['x-queue'] ?? deaths?.queue
  return `${headers.cloudEvents_type} ${headers.cloudEvents_id} of ${queue}: ${why} ${headers['x-error-detail'] ?? ''}`
}
