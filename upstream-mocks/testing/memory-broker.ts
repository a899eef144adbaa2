import { type Broker, PoisonEvent, type ShopEvent, type Subscription } from '../broker/broker.ts'

/** A broker inside the test: every event goes to all who subscribed to its type, and everything is on record. */
export interface MemoryBroker extends Broker {
  readonly published: readonly ShopEvent[]
  /** Queues that dropped a poison event, in order. */
  readonly dropped: readonly string[]
  /** Hands an event to its consumers and waits until all that follows from it is done; a failure is thrown. */
  deliver(event: ShopEvent): Promise<void>
  /** Makes the next publish fail, as if the connection were lost. */
  failNextPublish(): void
}

/** Makes an empty broker; services that share it form a shop. */
export function createMemoryBroker(): MemoryBroker {
  const subscriptions: Subscription[] = []
  const published: ShopEvent[] = []
  const dropped: string[] = []
  let failing = false

  async function deliver(event: ShopEvent): Promise<void> {
    for (const { queue, type, handle } of subscriptions) {
      if (type !== event.type) continue
      try {
        await handle(event)
      } catch (error) {
        if (!(error instanceof PoisonEvent)) throw error
        dropped.push(queue)
      }
    }
  }

  return {
    published,
    dropped,
    deliver,
    subscribe: (subscription) => void subscriptions.push(subscription),
    failNextPublish() {
      failing = true
    },
    async publish(event) {
      if (failing) {
        failing = false
        throw new Error('The connection was lost')
      }
      published.push(event)
      await deliver(event)
    },
    start() {},
    async stop() {},
  }
}
