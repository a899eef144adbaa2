/**
 * A CloudEvents 1.0 event (https://github.com/cloudevents/spec), JSON data only.
 * `id` is unique for `source`; consumers recognise repeats by it.
 */
export interface CloudEvent {
  readonly id: string
  readonly source: string
  readonly type: string
  /** What the event is about, e.g. the order's id. Events of one subject are delivered in the order they were committed. */
  readonly subject?: string
  /** RFC 3339. */
  readonly time: string
  readonly data: unknown
  /** W3C Trace Context of the request that caused the event. */
  readonly traceparent?: string
}

/** Where a committed event goes on the broker. */
export interface EventAddress {
  readonly exchange: string
  readonly routingKey: string
}

/** What is known before the upstream is called: enough to ask again later what became of the request. */
export interface IntentDraft {
  readonly route: string
  readonly method: string
  /** Path and query as the client sent them. */
  readonly path: string
  readonly idempotencyKey?: string
  readonly traceparent?: string
}

/**
 * A durable note that an event may be due, written before the upstream call. Exactly one of the three
 * outcomes follows; each resolves once it is durable and none waits for the broker.
 */
export interface Intent {
  readonly id: string
  /** The upstream accepted: the event is due. */
  commit(event: CloudEvent, address: EventAddress): Promise<void>
  /** The upstream refused: there is no event. */
  reject(): Promise<void>
  /** Nobody knows (timeout, lost connection): recovery settles it. */
  unknown(reason: string): Promise<void>
}

/** The gateway's way to announce events. There is deliberately no way to wait for delivery. */
export interface EventBus {
  /** Resolves once the intent is durable; throws a `GatewayError` `overloaded` when the outbox cannot take more. */
  intend(draft: IntentDraft): Promise<Intent>
}
