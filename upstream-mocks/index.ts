import { createAmqpBroker } from './broker/amqp-broker.ts'
import type { Broker } from './broker/broker.ts'
import { createCatalog } from './catalog/index.ts'
import { createInventory } from './inventory/index.ts'
import { createOrders } from './orders/index.ts'
import { createPayments } from './payments/index.ts'
import { createPricing } from './pricing/index.ts'
import { createPromotions } from './promotions/index.ts'
import { type Log, silentLog } from './service/log.ts'
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
} satisfies Record<ServiceName, (options: ServiceOptions) => Service | Promise<Service>>

const SERVICE_NAMES = Object.keys(CREATE) as ServiceName[]
const WITH_EVENTS: ReadonlySet<ServiceName> = new Set<ServiceName>(['inventory', 'orders', 'payments'])

export type { ServiceName }

/** How to run the shop; by default on its usual ports of the loopback, without events. */
export interface ShopOptions {
  readonly host?: string
  /** A number added to every usual port, `ephemeral` for free ones, or a port per service (0: a free one). */
  readonly ports?: number | 'ephemeral' | Partial<Record<ServiceName, number>>
  /** An `amqp://` URL. It need not answer yet: the services connect when it does. */
  readonly amqpUrl?: string
  /** `shop.events` unless told. */
  readonly exchange?: string
  /** Put before every queue's name, for several shops on one broker. */
  readonly queuePrefix?: string
  readonly log?: Log
}

/** A shop that runs, and where. */
export interface Shop {
  readonly ports: Readonly<Record<ServiceName, number>>
  stop(): Promise<void>
}

/** Starts every service in this process; throws, with nothing left running, when one of them cannot start. */
export async function startShop(options: ShopOptions = {}): Promise<Shop> {
  const { host = '127.0.0.1', log = silentLog } = options
  const started = new Map<ServiceName, Service>()
  const stop = async () => {
    await Promise.all([...started.values()].map((service) => service.stop()))
  }
  try {
    for (const name of SERVICE_NAMES) {
      const port = portOf(name, options.ports)
      const service = await CREATE[name]({ host, log, port, broker: brokerOf(name, options) })
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

function brokerOf(name: ServiceName, { amqpUrl, exchange, queuePrefix, log }: ShopOptions): Broker | undefined {
  if (amqpUrl === undefined || !WITH_EVENTS.has(name)) return undefined
  return createAmqpBroker({
    url: amqpUrl,
    name,
    ...(exchange === undefined ? {} : { exchange }),
    ...(queuePrefix === undefined ? {} : { queuePrefix }),
    ...(log === undefined ? {} : { log }),
  })
}
