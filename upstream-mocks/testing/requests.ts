import type { CloudEvent } from '../consumer/index.ts'
import type { Order } from '../orders/order-book.ts'

/** The options of a JSON request, e.g. `app.request('/orders', json('POST', order))`. */
export function json(method: string, body: unknown, headers: Record<string, string> = {}): RequestInit {
  return { method, body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } }
}

/** An order as `POST /orders` answers it. */
export function anOrder(change: Partial<Order> = {}): Order {
  const at = '2026-01-01T00:00:00.000Z'
  const items = [{ sku: 'MUG-001', quantity: 1 }]
  return { id: 'order-1', status: 'pending', customer: 'user-alice', items, createdAt: at, updatedAt: at, ...change }
}

/** The event a gateway publishes once an order was accepted. */
export function orderPlaced(order: { readonly id: string }, id = `event-${order.id}`): CloudEvent {
  return anEvent('order.placed', order.id, order, id)
}

/** An event about an order, with a trace. */
export function anEvent(type: string, subject: string, data: unknown, id = `${type}-${subject}`): CloudEvent {
  return {
    id,
    type,
    source: '/test',
    subject,
    time: '2026-01-01T00:00:00.000Z',
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    data,
  }
}
