import type { LoadResult } from './load.ts'

/** An order in the order service's own table. */
export interface BookedOrder {
  readonly id: string
  readonly customer: string
  readonly status: string
  readonly lines: readonly { readonly sku: string; readonly quantity: number }[]
}

/** A message as a queue that sees every event has it, in the order of the queue. */
export interface Delivery {
  readonly type: string
  readonly eventId: string
  readonly subject: string | undefined
  readonly orderId: string | undefined
}

/** An entry that the outbox still has. */
export interface OutboxRemainder {
  readonly state: string
  readonly reason: string | null
  readonly orderId: string | undefined
}

/** Everything a run has left behind, read from each party's own storage. */
export interface Books {
  readonly load: LoadResult
  readonly orders: readonly BookedOrder[]
  /** Decisions of the inventory by order: `held`, `kept` (for good), `released`, `refused`. */
  readonly reservations: ReadonlyMap<string, string>
  readonly stock: readonly {
    readonly sku: string
    readonly opening: number
    readonly available: number
    readonly reserved: number
  }[]
  /** What became of the payment, by order: `confirmed` or `declined`. */
  readonly payments: ReadonlyMap<string, string>
  /** How often `order.placed` took effect, by order, with a consumer whose effect is no repeatable one. */
  readonly effects: ReadonlyMap<string, number>
  /** Undefined when this run had no queue that sees everything. */
  readonly deliveries: readonly Delivery[] | undefined
  /** Whether events have the customer as their subject, so that a customer's orders are announced in order. */
  readonly subjectIsCustomer: boolean
  readonly outbox: readonly OutboxRemainder[]
  /** Events that services still owe the broker, and messages that are still in queues, by name. */
  readonly unfinished: ReadonlyMap<string, number>
  readonly deadLetters: readonly string[]
}
