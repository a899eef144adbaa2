import { z } from 'zod'
import { type Consequence, on, silentLog } from '../consumer/index.ts'
import {
  createEventService,
  type EventService,
  type EventServiceOptions,
  openServiceDatabase,
} from '../service/event-service.ts'
import { launch } from '../service/launch.ts'
import { notFound } from '../service/problem.ts'
import type { Service } from '../service/service.ts'
import { answerForMany } from '../service/skus.ts'
import { OPENING_STOCK } from './opening-stock.ts'
import { Warehouse } from './warehouse.ts'

const orderPlaced = z.object({
  id: z.string(),
  customer: z.string(),
  items: z.array(z.object({ sku: z.string(), quantity: z.int().positive() })),
  payment: z.object({ cardLast4: z.string() }).optional(),
})

const aboutOrder = z.object({ orderId: z.string() })

/** How to run it: by default with the demo's opening stock. */
export interface InventoryOptions extends EventServiceOptions {
  readonly stock?: ReadonlyMap<string, number>
}

/** The inventory: tells the stock, holds it when an order is placed, and puts it back when the order is not paid. */
export function createInventory(options: InventoryOptions = {}): EventService {
  const { stock = OPENING_STOCK, log = silentLog } = options
  const name = 'inventory'
  const database = openServiceDatabase(name, options)
  const warehouse = new Warehouse(database, stock)
  const reactions = [
    on('order.placed', orderPlaced, reserve),
    on('payment.declined', aboutOrder, release),
    on('order.cancelled', aboutOrder, release),
    on('order.confirmed', aboutOrder, keep),
  ]
  return createEventService({ name, routes, database, reactions, makes: ['stock.reserved', 'stock.rejected'] }, options)

  function routes(app: Service['app']): void {
    app.get('/stock', (c) => answerForMany(c.req.query('skus'), (sku) => warehouse.stockOf(sku)))
    app.get('/stock/:id', (c) => {
      const sku = c.req.param('id')
      const found = warehouse.stockOf(sku)
      return found ? c.json(found) : notFound('stock', sku)
    })
  }

  function reserve({ id: orderId, customer, items, payment }: z.output<typeof orderPlaced>): readonly Consequence[] {
    const reservation = warehouse.reserve(orderId, items)
    if (!reservation) return []
    if (reservation.state === 'refused') {
      return [{ type: 'stock.rejected', subject: orderId, data: { orderId, reason: reservation.reason } }]
    }
    const data = { orderId, customer, items: reservation.lines, payment }
    return [{ type: 'stock.reserved', subject: orderId, data }]
  }

  function release({ orderId }: z.output<typeof aboutOrder>): readonly Consequence[] {
    if (warehouse.release(orderId) === 'kept') {
      log.warn('Kept the stock of a confirmed order', { service: name, orderId })
    }
    return []
  }

  function keep({ orderId }: z.output<typeof aboutOrder>): readonly Consequence[] {
    const state = warehouse.keep(orderId)
    // Either its order.placed is still on the way, or two events contradict each other and a person has to look.
    if (state !== 'kept') throw new Error(`The stock of the confirmed order ${orderId} is ${state}, not held`)
    return []
  }
}

if (import.meta.main) await launch('inventory', createInventory)
