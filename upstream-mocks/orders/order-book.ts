import { LRUCache } from 'lru-cache'
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

const REMEMBERED_ORDERS = 10_000

/** Keeps the newest 10,000 orders in memory. */
export class OrderBook {
  readonly #orders = new LRUCache<string, Order>({ max: REMEMBERED_ORDERS })
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  place(customer: string, { items, payment }: NewOrder): Order {
    const at = new Date(this.#now()).toISOString()
    const order: Order = {
      id: crypto.randomUUID(),
      status: 'pending',
      customer,
      items,
      ...(payment ? { payment: { cardLast4: payment.card.slice(-4) } } : {}),
      createdAt: at,
      updatedAt: at,
    }
    this.#orders.set(order.id, order)
    return order
  }

  find(id: string): Order | undefined {
    return this.#orders.get(id)
  }

  /** One customer's orders, newest first, at most `limit`. */
  ofCustomer(customer: string, limit: number): Order[] {
    const own = [...this.#orders.values()].filter((order) => order.customer === customer)
    return own.sort((one, other) => other.createdAt.localeCompare(one.createdAt)).slice(0, limit)
  }

  /** Ends a pending order and says whether it did: the first ending stands, and an unknown order has none. */
  end(id: string, ending: Ending): boolean {
    const order = this.#orders.get(id)
    if (order?.status !== 'pending') return false
    this.#orders.set(id, { ...order, ...ending, updatedAt: new Date(this.#now()).toISOString() })
    return true
  }
}
