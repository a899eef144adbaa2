import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import { type Consequence, reactTo } from '../broker/inbox.ts'
import { launch } from '../service/launch.ts'
import { notFound } from '../service/problem.ts'
import { createService, type Service, type ServiceOptions } from '../service/service.ts'

const stockReserved = z.object({
  orderId: z.string().min(1).max(64),
  payment: z.object({ cardLast4: z.string().length(4) }).optional(),
})

/** What became of the payment of one order. */
export interface Payment {
  readonly orderId: string
  readonly status: 'confirmed' | 'declined'
  readonly reason?: string
  readonly decidedAt: string
}

const REMEMBERED_PAYMENTS = 50_000
const DECLINED_CARD_ENDING = '0002'

/** Payments: takes the money once the stock is held, and declines every card that ends in 0002. */
export function createPayments(options: ServiceOptions = {}): Service {
  const { broker, now = Date.now } = options
  const payments = new LRUCache<string, Payment>({ max: REMEMBERED_PAYMENTS })
  const service = 'payments'

  if (broker) reactTo(broker, { service, now, type: 'stock.reserved', data: stockReserved, decide: pay })
  return createService({ name: service, routes }, options)

  function routes(app: Service['app']): void {
    app.get('/payments/:orderId', (c) => {
      const orderId = c.req.param('orderId')
      const found = payments.get(orderId)
      return found ? c.json(found) : notFound('payment', orderId)
    })
  }

  function pay({ orderId, payment }: z.output<typeof stockReserved>): readonly Consequence[] {
    const decided = payments.get(orderId) ?? decide(orderId, payment?.cardLast4)
    payments.set(orderId, decided)
    return [{ type: `payment.${decided.status}`, subject: orderId, data: decided }]
  }

  function decide(orderId: string, cardLast4: string | undefined): Payment {
    const decidedAt = new Date(now()).toISOString()
    return cardLast4 === DECLINED_CARD_ENDING
      ? { orderId, status: 'declined', reason: `The card ending in ${cardLast4} was declined`, decidedAt }
      : { orderId, status: 'confirmed', decidedAt }
  }
}

if (import.meta.main) await launch('payments', createPayments)
