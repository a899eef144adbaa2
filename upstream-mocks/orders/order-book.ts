import type { Database } from 'bun:sqlite'
import { z } from 'zod'

/** The body of `POST /orders`. */
export const newOrder = z.strictObject({
  items: z
    .array(
      z.strictObject({
        sku: z.string().regex(/^[A-Z0-9][A-Z0-9-]{2,31}$/, 'Write it like MUG-001: capitals, digits and dashes'),
        quantity: z.int().min(1).max(99),
      }),
    )
    .min(1)
    .max(50),
  payment: z
    .strictObject({ card: z.string().regex(/^\d{12,19}$/, 'Write the card number as 12 to 19 digits, nothing else') })
    .optional(),
})

/** What a customer asks for. */
export type NewOrder = z.output<typeof newOrder>

/** An order as everybody sees it; of the card only the last four digits are ever kept. */
export interface Order {
  readonly id: string
  readonly status: 'pending' | 'confirmed' | 'cancelled'
  readonly customer: string
  readonly items: readonly { readonly sku: string; readonly quantity: number }[]
  readonly payment?: { readonly cardLast4: string }
  /** Why it was cancelled. */
  readonly reason?: string
  /** RFC 3339, as `updatedAt`. */
  readonly createdAt: string
  readonly updatedAt: string
}

/** How an order ends. */
export type Ending = { readonly status: 'confirmed' } | { readonly status: 'cancelled'; readonly reason: string }

/** The order as it was placed, or that the key belongs to another one. */
export type Placed = { readonly order: Order } | 'key-reused'

/** Key and order are one row, so that no crash can part them. The fingerprint tells whether it is the same order. */
const TABLES = `
  CREATE TABLE IF NOT EXISTS orders (
    id              TEXT NOT NULL PRIMARY KEY,
    customer        TEXT NOT NULL,
    status          TEXT NOT NULL CHECK (status IN ('pending', 'confirmed', 'cancelled')),
    items           TEXT NOT NULL,
    card_last4      TEXT,
    reason          TEXT,
    created_at      TEXT NOT NULL,
    updated_at      TEXT NOT NULL,
    idempotency_key TEXT,
    fingerprint     TEXT NOT NULL,
    UNIQUE (customer, idempotency_key)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS orders_by_customer ON orders (customer, created_at);
`

interface Row {
  readonly id: string
  readonly customer: string
  readonly status: Order['status']
  readonly items: string
  readonly card_last4: string | null
  readonly reason: string | null
  readonly created_at: string
  readonly updated_at: string
  readonly fingerprint: string
}

/** All orders, in the service's database. */
export class OrderBook {
  readonly #database: Database
  readonly #now: () => number

  constructor(database: Database, now: () => number) {
    this.#database = database
    this.#now = now
    database.run(TABLES)
  }

  /** Places the order, once for each key of a customer: after that the first answer is given again. */
  place(customer: string, wanted: NewOrder, key?: string): Placed {
    const fingerprint = fingerprintOf(wanted)
    const at = new Date(this.#now()).toISOString()
    const inserted = this.#database
      .query(
        `INSERT INTO orders (id, customer, status, items, card_last4, created_at, updated_at, idempotency_key, fingerprint)
         VALUES (?1, ?2, 'pending', ?3, ?4, ?5, ?5, ?6, ?7) ON CONFLICT (customer, idempotency_key) DO NOTHING
         RETURNING *`,
      )
      .get(
        crypto.randomUUID(),
        customer,
        JSON.stringify(wanted.items),
        wanted.payment?.card.slice(-4) ?? null,
        at,
        key ?? null,
        fingerprint,
      ) as Row | null
    const row = inserted ?? this.#rowOfKey(customer, key ?? '')
    if (row?.fingerprint !== fingerprint) return 'key-reused'
    return { order: asPlaced(row) }
  }

  /** The order as it was placed under a key. */
  ofKey(customer: string, key: string): Order | undefined {
    const row = this.#rowOfKey(customer, key)
    return row ? asPlaced(row) : undefined
  }

  find(id: string): Order | undefined {
    const row = this.#database.query<Row, [string]>('SELECT * FROM orders WHERE id = ?').get(id)
    return row ? toOrder(row) : undefined
  }

  /** One customer's orders, newest first, at most `limit`. */
  ofCustomer(customer: string, limit: number): Order[] {
    const find = this.#database.query<Row, [string, number]>(
      'SELECT * FROM orders WHERE customer = ? ORDER BY created_at DESC, rowid DESC LIMIT ?',
    )
    return find.all(customer, limit).map(toOrder)
  }

  /** Ends a pending order and returns it. The first ending stands; an unknown order has none. */
  end(id: string, ending: Ending): Order | undefined {
    const update = this.#database.query<Row, [string, string | null, string, string]>(
      `UPDATE orders SET status = ?, reason = ?, updated_at = ? WHERE id = ? AND status = 'pending' RETURNING *`,
    )
    const reason = ending.status === 'cancelled' ? ending.reason : null
    const row = update.get(ending.status, reason, new Date(this.#now()).toISOString(), id)
    return row ? toOrder(row) : undefined
  }

  #rowOfKey(customer: string, key: string): Row | null {
    return this.#database
      .query<Row, [string, string]>('SELECT * FROM orders WHERE customer = ? AND idempotency_key = ?')
      .get(customer, key)
  }
}

/**
 * Of the parsed order, not of its text: white space and the order of fields make no other order. Of the card no more
 * than is kept of it anyway: a digest of the whole number would give it away to whoever tries them all.
 */
function fingerprintOf({ items, payment }: NewOrder): string {
  const meaning = [items.map(({ sku, quantity }) => [sku, quantity]), payment?.card.slice(-4)]
  return new Bun.CryptoHasher('sha256').update(JSON.stringify(meaning)).digest('hex')
}

function toOrder(row: Row): Order {
  return {
    id: row.id,
    status: row.status,
    customer: row.customer,
    items: JSON.parse(row.items) as Order['items'],
    ...(row.card_last4 === null ? {} : { payment: { cardLast4: row.card_last4 } }),
    ...(row.reason === null ? {} : { reason: row.reason }),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

/** Whatever became of it since, the answer to its placing is always the same. */
function asPlaced(row: Row): Order {
  return toOrder({ ...row, status: 'pending', reason: null, updated_at: row.created_at })
}
