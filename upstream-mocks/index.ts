import { createCatalog } from './catalog/index.ts'
import { type Log, silentLog } from './consumer/index.ts'
import { createInventory } from './inventory/index.ts'
import { createOrders } from './orders/index.ts'
import { createPayments } from './payments/index.ts'
import { createPricing } from './pricing/index.ts'
import { createPromotions } from './promotions/index.ts'
import type { EventServiceOptions, EventSettings } from './service/event-service.ts'
import { USUAL_DATA } from './service/launch.ts'
import { type ServiceName, USUAL_PORTS } from './service/ports.ts'
import type { Service, ServiceOptions } from './service/service.ts'
import { createUsers } from './users/index.ts'

const CREATE = {
  users: createUsers,
  catalog: createCatalog,
  inventory: createInventory,
  pricing: createPricing,
  'pricing-canary': (options: ServiceOptions) => createPricing({ ...options, engine: 'canary' }),
  promotions: createPromotions,
  orders: createOrders,
  payments: createPayments,
} satisfies Record<ServiceName, (options: EventServiceOptions) => Service | Promise<Service>>

const SERVICE_NAMES = Object.keys(CREATE) as ServiceName[]

export { type ServiceName, USUAL_DATA }

/** How to run the shop; by default on its usual ports of the loopback, without events. */
export interface ShopOptions {
  readonly host?: string
  /** A number added to every usual port, `ephemeral` for free ones, or a port per service (0: a free one). */
  readonly ports?: number | 'ephemeral' | Partial<Record<ServiceName, number>>
  /** An `amqp://` URL. It need not answer yet: the services connect when it does. */
  readonly amqpUrl?: string
  /** Exchange, prefix of the queues and patience with events, where they are not the usual ones. */
  readonly events?: Omit<EventSettings, 'url'>
  /** Folder for the databases of orders, inventory and payments; `:memory:` unless told. */
  readonly data?: string
  readonly log?: Log
}

/** A shop that runs, and where. */
export interface Shop {
  readonly ports: Readonly<Record<ServiceName, number>>
  stop(): Promise<void>
}

/** Starts every service in this process; throws, with nothing left running, when one of them cannot start. */
export async function startShop(options: ShopOptions = {}): Promise<Shop> {
  const { host = '127.0.0.1', log = silentLog, amqpUrl, data = ':memory:' } = options
  const events = amqpUrl === undefined ? undefined : { url: amqpUrl, ...options.events }
  const started = new Map<ServiceName, Service>()
  const stop = async () => {
    await Promise.all([...started.values()].map((service) => service.stop()))
  }
  try {
    for (const name of SERVICE_NAMES) {
      const port = portOf(name, options.ports)
      const service = await CREATE[name]({ host, log, port, data, events })
      service.start()
      started.set(name, service)
    }
  } catch (error) {
    await stop()
    throw error
  }
  const ports = Object.fromEntries([...started].map(([name, { port }]) => [name, port])) as Record<ServiceName, number>
  return { ports, stop }
}

function portOf(name: ServiceName, ports: ShopOptions['ports'] = 0): number {
  if (ports === 'ephemeral') return 0
  if (typeof ports === 'number') return USUAL_PORTS[name] + ports
  return ports[name] ?? USUAL_PORTS[name]
}
