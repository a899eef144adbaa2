import { LRUCache } from 'lru-cache'
import type { NewOrder, Order } from './order-book.ts'

const REMEMBERED_KEYS = 10_000

/** The answer to an order under a key: the first one again, or that the key belongs to another order. */
export type KeyedAnswer = { readonly order: Order } | 'key-reused'

/** Remembers per customer which order came of which `Idempotency-Key`, as it was when it was placed. */
export class IdempotencyKeys {
  readonly #placed = new LRUCache<string, { readonly wanted: string; readonly order: Order }>({ max: REMEMBERED_KEYS })

  /** Places the order unless the key was seen before. */
  once(customer: string, key: string, wanted: NewOrder, place: () => Order): KeyedAnswer {
    const scope = JSON.stringify([customer, key])
    // The parsed order, not its text: white space and the order of fields make no other order.
    const fingerprint = JSON.stringify(wanted)
    const known = this.#placed.get(scope)
    if (known) return known.wanted === fingerprint ? { order: known.order } : 'key-reused'
    const order = place()
    this.#placed.set(scope, { wanted: fingerprint, order })
    return { order }
  }
}
