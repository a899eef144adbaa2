import type { StoredRequest } from './events.ts'
import type { CallRecord } from './record.ts'
import type { RequestSource } from './request-template.ts'

/** What is known of a request before its first write: what an operator sees, and what tells a repeat of it. */
export interface SagaDraft {
  readonly route: string
  readonly method: string
  /** Path as the client sent it, without the query, which may hold what nobody should keep. */
  readonly path: string
  readonly caller?: string
  readonly idempotencyKey?: string
  /** Of the request, as the log and the client have it. */
  readonly requestId?: string
  readonly traceparent?: string
  /** The same for every repeat of the request by its client; left out when a repeat cannot be told. */
  readonly identity?: string
  /** How long it is tried to undo a write, in milliseconds; then it is parked. */
  readonly withinMs: number
}

/** A call that changes something, as it is about to be made. */
export interface WriteDraft {
  /** Unique within its saga. */
  readonly part: string
  readonly upstream: string
  /** The very call, with its `Idempotency-Key`, to be made again when nobody knows what came of it. */
  readonly request: StoredRequest
  /** Statuses that are a success, such as `[404, '2xx']`. */
  readonly success: readonly (number | string)[]
  /** Statuses by which the service says for certain that it does not do it. */
  readonly refusals: readonly number[]
  /** Undefined for a write that cannot be undone. */
  readonly compensation?: Compensation
}

/** The call that undoes a write. Kept with it, so that it needs nothing of the configuration but the upstream. */
export interface Compensation {
  readonly upstream: string
  readonly template: RequestSource
  /** Fields that the gateway itself sets, its `Idempotency-Key` among them. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  /** What the template reads, by the source of the reference; what it reads of the write's reply comes later. */
  readonly values: Readonly<Record<string, unknown>>
  /** Sources of what it reads of the write's own reply. */
  readonly ofReply: readonly string[]
  readonly success: readonly (number | string)[]
  /** Of a write whose outcome nobody knows: make it again first, which tells; or undo it as if it had been done. */
  readonly whenUnknown: 'ask-again' | 'compensate'
  /** Largest reply of a write that is made again, in bytes. */
  readonly maxBody: number
}

/** What came of a write. */
export type WriteOutcome =
  | { readonly kind: 'done'; readonly ofReply: Readonly<Record<string, unknown>> }
  | { readonly kind: 'not-done' }
  | { readonly kind: 'unknown'; readonly reason: string }

/** What clients read of a write: `undoing` when it will be tried on, or an operator has to see to it. */
export interface WriteState {
  readonly part: string
  readonly outcome: 'done' | 'undone' | 'undoing' | 'not-done' | 'unknown'
}

export interface WriteKeys {
  readonly write: string
  readonly compensation: string
}

/** The writes of one request. Whatever is not completed is undone, after a crash too. */
export interface Saga {
  readonly id: string
  /**
   * The `Idempotency-Key` of a part's write, and of its compensation: the same for repeats of the request, and another
   * once the write was undone, as services answer a known key with what they said before.
   */
  keysOf(part: string): Promise<WriteKeys>
  /**
   * Resolves once the intent is durable, and only then may the call be made. Throws a `GatewayError`: `overloaded` when it
   * cannot be noted, `idempotency-key-in-use` while another request of the same identity is under way, and
   * `idempotency-key-reused` when one that was completed has made another call with this key.
   */
  intend(write: WriteDraft): Promise<void>
  /**
   * Notes the outcome with what is noted next, at the end of this turn at the latest, and does not wait for it: until it
   * is durable, or when it cannot be written, the outcome counts as unknown and is asked for again.
   */
  note(part: string, outcome: WriteOutcome): Promise<void>
  /**
   * The answer is decided: of the writes that are done, those it shows stay, and the others are undone. Throws
   * `overloaded` when that cannot be noted: then everything is going to be undone.
   */
  complete(shown: ReadonlySet<string>): Promise<void>
  /**
   * There is no answer: everything is undone, last first. Resolves when that is finished or stuck, or after `waitMs`; the
   * calls that are made until then are added to `calls`.
   */
  undo(reason: string, waitMs: number, calls: CallRecord[]): Promise<void>
  readonly writes: readonly WriteState[]
}

/** The gateway's way to change several services and leave no half of it behind. */
export interface Journal {
  /** Throws a `GatewayError` `idempotency-key-in-use` while another request of the same identity is under way. */
  begin(draft: SagaDraft): Promise<Saga>
  /** Told of the steps that a policy takes between intent and outcome. */
  readonly onStep?: SagaHook
}

/** The boundaries between the steps of a write's way, at any of which a process may die. */
export type SagaStep =
  | 'before-intent'
  | 'after-intent'
  | 'during-write'
  | 'after-reply'
  | 'after-note'
  | 'before-completion'
  | 'after-completion'
  | 'before-undoing'
  | 'before-compensation'
  | 'after-compensation'
  | 'after-undone'

/** Called at each step and waited for: how a test of faults gets in between. Absent in production. */
export type SagaHook = (step: SagaStep) => void | Promise<void>
