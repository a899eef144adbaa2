import type { Context } from 'hono'
import { z } from 'zod'
import { type Consequence, on, silentLog } from '../consumer/index.ts'
import {
  createEventService,
  type EventService,
  type EventServiceOptions,
  openServiceDatabase,
} from '../service/event-service.ts'
import { launch } from '../service/launch.ts'
import { notFound, toResponse } from '../service/problem.ts'
import { readJson } from '../service/read-json.ts'
import type { Service } from '../service/service.ts'
import { type Ending, newOrder, type Order, OrderBook } from './order-book.ts'

const USER_HEADER = 'x-user-id'
const LONGEST_LIST = 100

const outcome = z.object({ orderId: z.string(), reason: z.string().optional() })
type Outcome = z.output<typeof outcome>

/** Orders: takes them as `pending`, confirms or cancels them as stock and payment say, and announces how they ended. */
export function createOrders(options: EventServiceOptions = {}): EventService {
  const { now = Date.now, log = silentLog } = options
  const name = 'orders'
  const database = openServiceDatabase(name, options)
  const book = new OrderBook(database, now)
  const reactions = [
    on('payment.confirmed', outcome, ({ orderId }) => end(orderId, { status: 'confirmed' })),
    on('payment.declined', outcome, ({ orderId, reason }) => end(orderId, cancelled(reason))),
    on('stock.rejected', outcome, ({ orderId, reason }) => end(orderId, cancelled(reason))),
  ]
  return createEventService(
    { name, routes, database, reactions, makes: ['order.confirmed', 'order.cancelled'] },
    options,
  )

  function routes(app: Service['app']): void {
    app.post('/orders', placeOrder)
    app.get('/orders', (c) => {
      const customer = c.req.header(USER_HEADER)
      return customer ? c.json({ items: book.ofCustomer(customer, LONGEST_LIST) }) : toResponse(WHOSE_ORDERS)
    })
    app.get('/orders/by-key/:key', (c) => {
      const key = bareKey(c.req.param('key'))
      const order = book.ofKey(customerOf(c), key)
      return order ? c.json(order) : notFound('order', key)
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
    const customer = customerOf(c)
    const sent = c.req.header('idempotency-key')
    const key = sent === undefined ? undefined : bareKey(sent)
    if (customer.length > 128 || (key !== undefined && (key === '' || key.length > 255)))
      return toResponse(WRONG_FIELDS)
    const body = await readJson(c, newOrder)
    if (!body.ok) return body.refusal
    const answer = book.place(customer, body.value, key)
    if (answer === 'key-reused') return toResponse(KEY_REUSED)
    return c.json(answer.order, 201, { location: `/orders/${answer.order.id}` })
  }

  function end(orderId: string, ending: Ending): readonly Consequence[] {
    const ended = book.end(orderId, ending)
    if (ended) return [announcement(ended)]
    const known = book.find(orderId)
    // Its row may still be on the way from a backup or another site: tried again, and in the end a dead letter.
    if (!known) throw new Error(`There is no order ${orderId.slice(0, 64)} yet`)
    if (known.status !== ending.status) {
      log.warn('Ignored another outcome of an order that has ended', { service: name, orderId, ...ending })
    }
    return []
  }
}

function cancelled(reason: Outcome['reason'] = 'No reason given'): Ending {
  return { status: 'cancelled', reason }
}

function announcement({ id: orderId, customer, status, reason, updatedAt }: Order): Consequence {
  const data =
    status === 'confirmed'
      ? { orderId, customer, confirmedAt: updatedAt }
      : { orderId, customer, reason, cancelledAt: updatedAt }
  return { type: `order.${status}`, subject: orderId, data }
}

function customerOf(c: Context): string {
  return c.req.header(USER_HEADER) ?? 'anonymous'
}

/** The IETF draft writes a key in quotes, many clients do not: it is the same key. */
function bareKey(sent: string): string {
  return /^"(.*)"$/.exec(sent)?.[1] ?? sent
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
