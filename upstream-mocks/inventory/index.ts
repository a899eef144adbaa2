import { z } from 'zod'
import { type Consequence, reactTo } from '../broker/inbox.ts'
import { launch } from '../service/launch.ts'
import { notFound } from '../service/problem.ts'
import { createService, type Service, type ServiceOptions } from '../service/service.ts'
import { OPENING_STOCK } from './opening-stock.ts'
import { Warehouse } from './warehouse.ts'

const orderPlaced = z.object({
  id: z.string().min(1).max(64),
  customer: z.string().max(128),
  items: z
    .array(z.object({ sku: z.string().min(1).max(40), quantity: z.int().min(1).max(99) }))
    .min(1)
    .max(50),
  payment: z.object({ cardLast4: z.string().length(4) }).optional(),
})

const paymentDeclined = z.object({ orderId: z.string().min(1).max(64) })

/** The inventory: tells the stock, holds it when an order is placed, and puts it back when the payment is declined. */
export function createInventory(
  options: ServiceOptions & { readonly stock?: ReadonlyMap<string, number> } = {},
): Service {
  const { broker, now = Date.now, stock = OPENING_STOCK } = options
  const warehouse = new Warehouse(stock)
  const service = 'inventory'

  if (broker) {
    reactTo(broker, { service, now, type: 'order.placed', data: orderPlaced, decide: reserve })
    reactTo(broker, { service, now, type: 'payment.declined', data: paymentDeclined, decide: release })
  }
  return createService({ name: service, routes }, options)

  function routes(app: Service['app']): void {
    app.get('/stock/:id', (c) => {
      const sku = c.req.param('id')
      const found = warehouse.stockOf(sku)
      return found ? c.json(found) : notFound('stock', sku)
    })
  }

  function reserve({ id: orderId, customer, items, payment }: z.output<typeof orderPlaced>): readonly Consequence[] {
    const reservation = warehouse.reserve(orderId, items)
    if (reservation.state === 'released') return []
    if (reservation.state === 'refused') {
      return [{ type: 'stock.rejected', subject: orderId, data: { orderId, reason: reservation.reason } }]
    }
    const { lines } = reservation
    return [{ type: 'stock.reserved', subject: orderId, data: { orderId, customer, items: lines, payment } }]
  }

  function release({ orderId }: z.output<typeof paymentDeclined>): readonly Consequence[] {
    warehouse.release(orderId)
    return []
  }
}

if (import.meta.main) await launch('inventory', createInventory)
