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
  /** URI of the schema that `data` fits, where it has one. */
  readonly dataschema?: string
  /** W3C Trace Context of the request that caused the event. */
  readonly traceparent?: string
  /** What the systems before this one keep with the trace. */
  readonly tracestate?: string
}

/** Where a committed event goes on the broker. */
export interface EventAddress {
  readonly exchange: string
  readonly routingKey: string
}

/** A request kept with an intent, to be sent again as it is. */
export interface StoredRequest {
  readonly method: string
  /** Path and query, as they go to the upstream. */
  readonly path: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** The bytes, in base64. */
  readonly body?: string
}

/** The event as far as it is known before the reply, so that it can be built whenever the reply comes. */
export interface EventRecipe {
  readonly type: string
  readonly source: string
  readonly exchange: string
  readonly routingKey: string
  /** Template sources. */
  readonly subject?: string
  readonly data: string
  /** What the templates read of the request: source of a reference, and its value at the time of the intent. */
  readonly values: Readonly<Record<string, unknown>>
  /** Largest response body that is read, in bytes. */
  readonly maxBody: number
  /** What makes the id of the event the same whoever builds it; the intent's id when left out. */
  readonly identity?: string
}

/**
 * How an intent whose outcome nobody knows is settled. Kept with the intent, so that it needs nothing of the
 * configuration of that day but the upstream.
 */
export interface Settlement {
  /** `replay`: the very request again, with its `Idempotency-Key`. `probe`: a GET that tells whether it took effect. */
  readonly mode: 'replay' | 'probe'
  /** Name of the upstream whose pipeline is asked. */
  readonly upstream: string
  readonly request: StoredRequest
  /** How long after the intent it may be tried, in milliseconds; then the intent is parked. */
  readonly withinMs: number
  readonly recipe: EventRecipe
}

/** What is known before the upstream is called: enough to ask again later what became of the request. */
export interface IntentDraft {
  readonly route: string
  readonly method: string
  /** Path and query as the client sent them. */
  readonly path: string
  readonly idempotencyKey?: string
  readonly traceparent?: string
  /** Who asked, when that is established. */
  readonly caller?: string
  /** Without one, an unknown outcome is parked. */
  readonly settlement?: Settlement
  /** Why there is no settlement although one was wished for. */
  readonly cannotSettle?: string
}

/**
 * A durable note that an event may be due, written before the upstream call. Exactly one of the four
 * outcomes follows; each resolves once it is durable and none waits for the broker.
 */
export interface Intent {
  readonly id: string
  /** The upstream accepted: the event is due. */
  commit(event: CloudEvent, address: EventAddress): Promise<void>
  /** The upstream accepted, and the event must not be sent as it is: an operator decides. */
  withhold(event: CloudEvent, address: EventAddress, reason: string): Promise<void>
  /** The upstream refused: there is no event. */
  reject(): Promise<void>
  /** Nobody knows (timeout, lost connection): recovery settles it. */
  unknown(reason: string): Promise<void>
}

/** What has become of a command that was accepted: it waits for the broker, the broker has it, or a person must look. */
export interface EventStatus {
  readonly state: 'accepted' | 'published' | 'parked'
  /** Since when, in milliseconds since the Unix epoch. */
  readonly atMs: number
  /** Why it is parked. */
  readonly reason?: string
  /** The draft's caller, who alone may see this. */
  readonly caller?: string
}

/** The gateway's way to announce events. There is deliberately no way to wait for delivery. */
export interface EventBus {
  /** Resolves once the intent is durable; throws a `GatewayError` `overloaded` when the outbox cannot take more. */
  intend(draft: IntentDraft): Promise<Intent>
  /**
   * Announces without asking an upstream first: resolves once the event is durable and due. One of this id that is
   * kept already stays as it is, and nothing is added. Throws a `GatewayError` `overloaded` when the outbox cannot take it.
   */
  accept(event: CloudEvent, address: EventAddress, draft: IntentDraft): Promise<void>
  /** What became of an accepted event, by its id: `undefined` when it is unknown, or was published over 24 h ago. */
  status(id: string): Promise<EventStatus | undefined>
  /** Told of the steps that a policy takes between intent and outcome. */
  readonly onStep?: StepHook
}

/** The boundaries between the steps of an event's way, at any of which a process may die. */
export type Step =
  | 'before-intent'
  | 'after-intent'
  | 'during-upstream-call'
  | 'after-reply'
  | 'after-commit'
  | 'during-publish'
  | 'after-confirm-before-mark'

/** Called at each step and waited for: how a test of faults gets in between. Absent in production. */
export type StepHook = (step: Step) => void | Promise<void>
