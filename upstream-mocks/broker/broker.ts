/** A CloudEvents 1.0 event of the shop (https://github.com/cloudevents/spec); `id` tells repeats apart. */
export interface ShopEvent {
  readonly id: string
  readonly type: string
  readonly source: string
  /** The order's id. */
  readonly subject?: string | undefined
  /** RFC 3339. */
  readonly time: string
  /** W3C Trace Context of the request that started it all. */
  readonly traceparent?: string | undefined
  readonly data: unknown
}

/** Wants every event of one type, in a durable queue of its own. */
export interface Subscription {
  /** e.g. `inventory.order-placed`. */
  readonly queue: string
  readonly type: string
  /** Resolves when the event is dealt with; `PoisonEvent` drops it, any other error brings it again later. */
  handle(event: ShopEvent): Promise<void>
}

/** A service's line to the broker: events out, events in, at least once. */
export interface Broker {
  /** Call before `start`. */
  subscribe(subscription: Subscription): void
  /** Resolves once the broker holds the event for at least one queue; throws otherwise. */
  publish(event: ShopEvent): Promise<void>
  /** Connects in the background, and again whenever the line is lost. Never throws. */
  start(): void
  stop(): Promise<void>
}

/** An event nobody will ever be able to handle: dropped and logged, never delivered again. */
export class PoisonEvent extends Error {
  override readonly name = 'PoisonEvent'
}
