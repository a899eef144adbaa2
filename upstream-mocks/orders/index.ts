import type { Context } from 'hono'
import { z } from 'zod'
import { reactTo } from '../broker/inbox.ts'
import { launch } from '../service/launch.ts'
import { silentLog } from '../service/log.ts'
import { notFound, toResponse } from '../service/problem.ts'
import { readJson } from '../service/read-json.ts'
import { createService, type Service, type ServiceOptions } from '../service/service.ts'
import { IdempotencyKeys } from './idempotency.ts'
import { type Ending, newOrder, OrderBook } from './order-book.ts'

const USER_HEADER = 'x-user-id'
const LONGEST_LIST = 100

const outcome = z.object({ orderId: z.string().min(1).max(64), reason: z.string().max(500).optional() })

/** Orders: takes them as `pending` and confirms or cancels them as stock and payment say. */
export function createOrders(options: ServiceOptions = {}): Service {
  const { broker, now = Date.now, log = silentLog } = options
  const book = new OrderBook(now)
  const keys = new IdempotencyKeys()
  const service = 'orders'

  if (broker) {
    const on = (type: string, ending: (reason: string) => Ending) =>
      reactTo(broker, { service, now, type, data: outcome, decide: (data) => end(data, ending) })
    on('payment.confirmed', () => ({ status: 'confirmed' }))
    on('payment.declined', (reason) => ({ status: 'cancelled', reason }))
    on('stock.rejected', (reason) => ({ status: 'cancelled', reason }))
  }
  return createService({ name: service, routes }, options)

  function routes(app: Service['app']): void {
    app.post('/orders', placeOrder)
    app.get('/orders', (c) => {
      const customer = c.req.header(USER_HEADER)
      return customer ? c.json({ items: book.ofCustomer(customer, LONGEST_LIST) }) : toResponse(WHOSE_ORDERS)
    })
    app.get('/orders/:id', (c) => {
      const id = c.req.param('id')
      const caller = c.req.header(USER_HEADER)
      const order = book.find(id)
      const mayRead = caller === undefined || order?.customer === caller
      return order && mayRead ? c.json(order) : notFound('order', id)
    })
  }

  async function placeOrder(c: Context): Promise<Response> {
    const customer = c.req.header(USER_HEADER) ?? 'anonymous'
    const key = c.req.header('idempotency-key')
    if (customer.length > 128 || (key !== undefined && (key === '' || key.length > 255)))
      return toResponse(WRONG_FIELDS)
    const body = await readJson(c, newOrder)
    if (!body.ok) return body.refusal
    const wanted = body.value
    const place = () => book.place(customer, wanted)
    const answer = key === undefined ? { order: place() } : keys.once(customer, key, wanted, place)
    if (answer === 'key-reused') return toResponse(KEY_REUSED)
    return c.json(answer.order, 201, { location: `/orders/${answer.order.id}` })
  }

  function end({ orderId, reason = 'No reason given' }: z.output<typeof outcome>, ending: (reason: string) => Ending) {
    const { status } = ending(reason)
    if (!book.end(orderId, ending(reason)) && book.find(orderId)?.status !== status) {
      log.warn('Ignored the outcome of an order that is unknown or already ended', { service, orderId, status })
    }
    return []
  }
}

const WHOSE_ORDERS = {
  status: 401,
  code: 'missing-user',
  title: 'Whose orders?',
  detail: `Send ${USER_HEADER}; behind the gateway it comes from the caller's token`,
} as const

const WRONG_FIELDS = {
  status: 400,
  code: 'invalid-header',
  title: 'A header is not valid',
  detail: `Idempotency-Key takes 1 to 255 characters, ${USER_HEADER} at most 128`,
} as const

const KEY_REUSED = {
  status: 422,
  code: 'idempotency-key-reused',
  title: 'This Idempotency-Key belongs to another order',
  detail: 'Send the same order again, or use a new key for a new one',
} as const

if (import.meta.main) await launch('orders', createOrders)
