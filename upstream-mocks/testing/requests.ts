import type { ShopEvent } from '../broker/broker.ts'

/** The options of a JSON request, e.g. `app.request('/orders', json('POST', order))`. */
export function json(method: string, body: unknown, headers: Record<string, string> = {}): RequestInit {
  return { method, body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } }
}

/** The event a gateway publishes once an order was accepted. */
export function orderPlaced(order: { readonly id: string }, id = `event-${order.id}`): ShopEvent {
  return {
    id,
    type: 'order.placed',
    source: '/test',
    subject: order.id,
    time: '2026-01-01T00:00:00.000Z',
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    data: order,
  }
}
