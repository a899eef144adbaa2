import type { Database } from 'bun:sqlite'

/** So many pieces of one SKU. */
export interface Line {
  readonly sku: string
  readonly quantity: number
}

/** Pieces of one SKU: free to be sold, and held for orders. */
export interface Stock {
  readonly sku: string
  readonly available: number
  readonly reserved: number
}

/** What became of an order's reservation: `kept` is held for good, because the order is confirmed. */
export type Reservation =
  | { readonly state: 'held' | 'kept' | 'released'; readonly lines: readonly Line[] }
  | { readonly state: 'refused'; readonly reason: string }

const TABLES = `
  CREATE TABLE IF NOT EXISTS stock (
    sku       TEXT NOT NULL PRIMARY KEY,
    opening   INTEGER NOT NULL,
    available INTEGER NOT NULL CHECK (available >= 0),
    reserved  INTEGER NOT NULL CHECK (reserved >= 0)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS reservations (
    order_id TEXT NOT NULL PRIMARY KEY,
    state    TEXT NOT NULL CHECK (state IN ('held', 'kept', 'released', 'refused')),
    lines    TEXT NOT NULL,
    reason   TEXT
  ) STRICT, WITHOUT ROWID;
`

interface Row {
  readonly state: Reservation['state']
  readonly lines: string
  readonly reason: string | null
}

/** Holds stock for orders, each order once whatever is repeated or comes in the wrong order. Call it in transactions. */
export class Warehouse {
  readonly #database: Database

  /** SKUs the database does not know yet get their opening stock. */
  constructor(database: Database, openingStock: ReadonlyMap<string, number>) {
    this.#database = database
    database.run(TABLES)
    const open = database.query(
      'INSERT OR IGNORE INTO stock (sku, opening, available, reserved) VALUES (?1, ?2, ?2, 0)',
    )
    database.transaction(() => {
      for (const [sku, pieces] of openingStock) open.run(sku, pieces)
    })()
  }

  stockOf(sku: string): Stock | undefined {
    const find = this.#database.query<Stock, [string]>('SELECT sku, available, reserved FROM stock WHERE sku = ?')
    return find.get(sku) ?? undefined
  }

  find(orderId: string): Reservation | undefined {
    const find = this.#database.query<Row, [string]>('SELECT state, lines, reason FROM reservations WHERE order_id = ?')
    const row = find.get(orderId)
    if (!row) return undefined
    const { state } = row
    return state === 'refused' ? { state, reason: row.reason ?? '' } : { state, lines: JSON.parse(row.lines) as Line[] }
  }

  /** Holds all lines or none. For an order that was seen before, also one released in advance, undefined. */
  reserve(orderId: string, lines: readonly Line[]): Reservation | undefined {
    if (this.find(orderId)) return undefined
    const wanted = sumBySku(lines)
    const lacking = wanted.find(({ sku, quantity }) => (this.stockOf(sku)?.available ?? 0) < quantity)
    const reservation: Reservation = lacking
      ? { state: 'refused', reason: this.#explain(lacking) }
      : { state: 'held', lines: wanted }
    if (reservation.state === 'held') this.#move(wanted, 1)
    this.#write(orderId, reservation)
    return reservation
  }

  /** Puts held lines back. An order released before it was reserved will never be; a kept one stays. */
  release(orderId: string): Reservation['state'] {
    const known = this.find(orderId)
    if (known && known.state !== 'held') return known.state
    const lines = known?.lines ?? []
    this.#move(lines, -1)
    this.#write(orderId, { state: 'released', lines })
    return 'released'
  }

  /** Holds the lines for good. Says what it found instead when they are not held. */
  keep(orderId: string): Reservation['state'] | 'unknown' {
    const known = this.find(orderId)
    if (known?.state !== 'held') return known?.state ?? 'unknown'
    this.#write(orderId, { ...known, state: 'kept' })
    return 'kept'
  }

  #explain({ sku, quantity }: Line): string {
    const stock = this.stockOf(sku)
    return stock ? `Only ${stock.available} of ${sku} left, ${quantity} wanted` : `There is no SKU "${sku}"`
  }

  #move(lines: readonly Line[], direction: 1 | -1): void {
    const move = this.#database.query(
      'UPDATE stock SET available = available - ?1, reserved = reserved + ?1 WHERE sku = ?2',
    )
    for (const { sku, quantity } of lines) move.run(direction * quantity, sku)
  }

  #write(orderId: string, reservation: Reservation): void {
    const isRefused = reservation.state === 'refused'
    const lines = isRefused ? [] : reservation.lines
    this.#database
      .query('INSERT OR REPLACE INTO reservations (order_id, state, lines, reason) VALUES (?, ?, ?, ?)')
      .run(orderId, reservation.state, JSON.stringify(lines), isRefused ? reservation.reason : null)
  }
}

function sumBySku(lines: readonly Line[]): Line[] {
  const sums = new Map<string, number>()
  for (const { sku, quantity } of lines) sums.set(sku, (sums.get(sku) ?? 0) + quantity)
  return [...sums].map(([sku, quantity]) => ({ sku, quantity }))
}
