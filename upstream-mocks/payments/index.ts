import { z } from 'zod'
import { type Consequence, on } from '../consumer/index.ts'
import {
  createEventService,
  type EventService,
  type EventServiceOptions,
  openServiceDatabase,
} from '../service/event-service.ts'
import { launch } from '../service/launch.ts'
import { notFound } from '../service/problem.ts'
import type { Service } from '../service/service.ts'

const stockReserved = z.object({
  orderId: z.string(),
  payment: z.object({ cardLast4: z.string() }).optional(),
})

/** What became of the payment of one order. */
export interface Payment {
  readonly orderId: string
  readonly status: 'confirmed' | 'declined'
  readonly reason?: string
  readonly decidedAt: string
}

interface Row {
  readonly order_id: string
  readonly status: Payment['status']
  readonly reason: string | null
  readonly decided_at: string
}

const TABLES = `
  CREATE TABLE IF NOT EXISTS payments (
    order_id   TEXT NOT NULL PRIMARY KEY,
    status     TEXT NOT NULL CHECK (status IN ('confirmed', 'declined')),
    reason     TEXT,
    decided_at TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
`
const DECLINED_CARD_ENDING = '0002'

/** Payments: takes the money once the stock is held, and declines every card that ends in 0002. */
export function createPayments(options: EventServiceOptions = {}): EventService {
  const { now = Date.now } = options
  const name = 'payments'
  const database = openServiceDatabase(name, options)
  database.run(TABLES)
  const find = database.query<Row, [string]>('SELECT * FROM payments WHERE order_id = ?')
  const insert = database.query('INSERT INTO payments (order_id, status, reason, decided_at) VALUES (?, ?, ?, ?)')
  const reactions = [on('stock.reserved', stockReserved, pay)]
  const makes = ['payment.confirmed', 'payment.declined']
  return createEventService({ name, routes, database, reactions, makes }, options)

  function routes(app: Service['app']): void {
    app.get('/payments/:orderId', (c) => {
      const orderId = c.req.param('orderId')
      const found = find.get(orderId)
      return found ? c.json(toPayment(found)) : notFound('payment', orderId)
    })
  }

  /** Once for each order, whatever announces it: a charge cannot be taken twice. */
  function pay({ orderId, payment }: z.output<typeof stockReserved>): readonly Consequence[] {
    if (find.get(orderId)) return []
    const decided = decide(orderId, payment?.cardLast4)
    insert.run(orderId, decided.status, decided.reason ?? null, decided.decidedAt)
    return [{ type: `payment.${decided.status}`, subject: orderId, data: decided }]
  }

  function decide(orderId: string, cardLast4: string | undefined): Payment {
    const decidedAt = new Date(now()).toISOString()
    return cardLast4 === DECLINED_CARD_ENDING
      ? { orderId, status: 'declined', reason: `The card ending in ${cardLast4} was declined`, decidedAt }
      : { orderId, status: 'confirmed', decidedAt }
  }
}

function toPayment({ order_id: orderId, status, reason, decided_at: decidedAt }: Row): Payment {
  return { orderId, status, ...(reason === null ? {} : { reason }), decidedAt }
}

if (import.meta.main) await launch('payments', createPayments)
