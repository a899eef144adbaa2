import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { createInventory } from '../../upstream-mocks/inventory/index.ts'
import { createOrders } from '../../upstream-mocks/orders/index.ts'
import { createPayments } from '../../upstream-mocks/payments/index.ts'
import type { EventServiceOptions } from '../../upstream-mocks/service/event-service.ts'
import { createLedger } from './ledger.ts'
import { type ConsumerName, DELAYS_MS } from './names.ts'
import { type DeathPlan, dieAt, ownPart } from './part-process.ts'

/** What the scene tells a service of the shop. */
export interface ShopSettings {
  readonly service: ConsumerName
  readonly amqpUrl: string
  readonly exchange: string
  readonly queuePrefix: string
  /** File of its database. */
  readonly database: string
  readonly death?: DeathPlan | undefined
  /** Forgets at once which events it has handled; to see the checker find it. */
  readonly noInbox: boolean
}

const CREATE = { orders: createOrders, inventory: createInventory, payments: createPayments, ledger: createLedger }

const part = ownPart<ShopSettings>()
const { service, amqpUrl, exchange, queuePrefix, database, death, noInbox } = part.settings
mkdirSync(dirname(database), { recursive: true })
const log = (message: string, facts: object = {}) => console.log(JSON.stringify({ at: Date.now(), message, ...facts }))
const options: EventServiceOptions = {
  port: 0,
  log: { info: log, warn: log },
  data: dirname(database),
  onStep: dieAt(death, part.die),
  events: { url: amqpUrl, exchange, queuePrefix, retriesMs: [20, 50], delaysMs: DELAYS_MS },
}
const running = service === 'ledger' ? createLedger(options, noInbox) : CREATE[service](options)
running.start()
const url = `http://127.0.0.1:${running.port}`
await untilConnected(`${url}/metrics`)
part.ready({ url })
process.on('SIGTERM', () => void running.stop().then(() => process.exit(0)))

/** Ready is who has declared and bound what is his: before, events would pass him by. */
async function untilConnected(metrics: string): Promise<void> {
  for (;;) {
    const text = await (await fetch(metrics)).text()
    if (/^consumer_connected(?:\{[^}]*\})? 1$/m.test(text)) return
    await Bun.sleep(10)
  }
}
