import { LRUCache } from 'lru-cache'

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

/** What became of an order's reservation. */
export type Reservation =
  | { readonly state: 'held'; readonly lines: readonly Line[] }
  | { readonly state: 'refused'; readonly reason: string }
  | { readonly state: 'released' }

const REMEMBERED_ORDERS = 50_000

/** Holds stock for orders, each order once whatever is repeated or comes in the wrong order. */
export class Warehouse {
  readonly #shelf: Map<string, Stock>
  readonly #reservations = new LRUCache<string, Reservation>({ max: REMEMBERED_ORDERS })

  constructor(openingStock: ReadonlyMap<string, number>) {
    this.#shelf = new Map([...openingStock].map(([sku, available]) => [sku, { sku, available, reserved: 0 }]))
  }

  stockOf(sku: string): Stock | undefined {
    return this.#shelf.get(sku)
  }

  /** Holds all lines or none; asked again, gives the first answer again. */
  reserve(orderId: string, lines: readonly Line[]): Reservation {
    const known = this.#reservations.get(orderId)
    if (known) return known
    const wanted = sumBySku(lines)
    const lacking = wanted.find(({ sku, quantity }) => (this.#shelf.get(sku)?.available ?? 0) < quantity)
    const reservation: Reservation = lacking
      ? { state: 'refused', reason: this.#explain(lacking) }
      : { state: 'held', lines: wanted }
    if (reservation.state === 'held') this.#move(reservation.lines, 1)
    this.#reservations.set(orderId, reservation)
    return reservation
  }

  /** Puts held lines back. An order released before it was reserved will never be. */
  release(orderId: string): void {
    const known = this.#reservations.get(orderId)
    if (known?.state === 'held') this.#move(known.lines, -1)
    if (known?.state !== 'refused') this.#reservations.set(orderId, { state: 'released' })
  }

  #explain({ sku, quantity }: Line): string {
    const stock = this.#shelf.get(sku)
    return stock ? `Only ${stock.available} of ${sku} left, ${quantity} wanted` : `There is no SKU "${sku}"`
  }

  #move(lines: readonly Line[], direction: 1 | -1): void {
    for (const { sku, quantity } of lines) {
      const { available, reserved } = this.#shelf.get(sku) ?? { available: 0, reserved: 0 }
      const moved = direction * quantity
      this.#shelf.set(sku, { sku, available: available - moved, reserved: reserved + moved })
    }
  }
}

function sumBySku(lines: readonly Line[]): Line[] {
  const sums = new Map<string, number>()
  for (const { sku, quantity } of lines) sums.set(sku, (sums.get(sku) ?? 0) + quantity)
  return [...sums].map(([sku, quantity]) => ({ sku, quantity }))
}
