/** What the things of one scene are called on the broker. */
export interface SceneNames {
  readonly exchange: string
  readonly queuePrefix: string
  /** The queue that sees every event. */
  readonly observer: string
  readonly deadLetters: string
  /** The queues of consumers with their delay queues. */
  readonly queues: readonly string[]
  /** The queues that take `order.placed`. */
  readonly orderPlaced: readonly string[]
  /** Which type of event belongs into which queue. */
  readonly bindings: readonly { readonly queue: string; readonly type: string }[]
}

/** Waits of the delay queues, in milliseconds. */
export const DELAYS_MS = [200, 500, 1_000] as const

/** The services that take events; the ledger is the harness's own. */
export const CONSUMERS = ['orders', 'inventory', 'payments', 'ledger'] as const
export type ConsumerName = (typeof CONSUMERS)[number]

const CONSUMED: Readonly<Record<ConsumerName, readonly string[]>> = {
  inventory: ['order.placed', 'payment.declined', 'order.cancelled', 'order.confirmed'],
  payments: ['stock.reserved'],
  orders: ['payment.confirmed', 'payment.declined', 'stock.rejected'],
  ledger: ['order.placed'],
}

/** The names with `scene` in front, so that scenes can share a broker. */
export function nameScene(scene: string): SceneNames {
  const exchange = `${scene}.shop.events`
  const queuePrefix = `${scene}.`
  const bindings = Object.entries(CONSUMED).flatMap(([service, types]) =>
    types.map((type) => ({ type, queue: `${queuePrefix}${service}.${type.replaceAll('.', '-')}` })),
  )
  const main = bindings.map(({ queue }) => queue)
  return {
    exchange,
    queuePrefix,
    observer: `${scene}.observer`,
    deadLetters: `${exchange}.dead-letters`,
    queues: main.flatMap((queue) => [queue, ...DELAYS_MS.map((delayMs) => `${queue}.retry-${label(delayMs)}`)]),
    bindings,
    orderPlaced: main.filter((queue) => queue.endsWith('.order-placed')),
  }
}

function label(delayMs: number): string {
  return delayMs % 1_000 === 0 ? `${delayMs / 1_000}s` : `${delayMs}ms`
}
