/** What an operator sees and does: one interface, whether it is asked in the gateway's process, over HTTP or in a file. */
export interface Operations {
  readonly outbox: OutboxOperations
  readonly deadLetters: DeadLetterOperations
}

/** States of an entry of the outbox, those first that wait for a person. */
export const ENTRY_STATES = ['parked', 'unknown', 'committed', 'pending'] as const
export type EntryState = (typeof ENTRY_STATES)[number]

/** An entry of the outbox without what the client sent: no header, no body and no query, which may hold credentials. */
export interface OutboxItem {
  readonly id: string
  /** `delivered`: only its receipt is left. */
  readonly state: EntryState | 'delivered'
  readonly route?: string
  readonly method?: string
  readonly path?: string
  readonly caller?: string
  readonly idempotencyKey?: string
  readonly traceparent?: string
  /** Why it is unknown or parked, or why a committed one still waits, which only a gateway that runs can tell. */
  readonly reason?: string
  /** How often the gateway has tried to settle it; of a committed one, how often it was sent in vain. */
  readonly attempts?: number
  /** Times in milliseconds since the Unix epoch. */
  readonly intendedAtMs?: number
  readonly committedAtMs?: number
  readonly parkedAtMs?: number
  readonly deliveredAtMs?: number
  /** When it is settled or sent next. */
  readonly nextAtMs?: number
  readonly event?: OutboxItemEvent
  readonly settlement?: { readonly mode: 'replay' | 'probe'; readonly upstream: string }
}

export interface OutboxItemEvent {
  readonly id: string
  readonly type: string
  readonly subject?: string
  readonly time: string
  readonly exchange: string
  readonly routingKey: string
  /** Only when one entry is asked for. */
  readonly data?: unknown
}

export interface OutboxList {
  readonly counts: Readonly<Record<EntryState, number>>
  readonly entries: readonly OutboxItem[]
}

/** What became of everything that was to be done at once. */
export interface Tally {
  readonly done: number
  readonly refused: readonly { readonly id: string; readonly reason: string }[]
}

export interface OutboxOperations {
  /** Up to `limit` entries, of one state or of all in the order of `ENTRY_STATES`; in each the oldest intent first. */
  list(wish: { readonly state?: EntryState | undefined; readonly limit: number }): Promise<OutboxList>
  /** Throws `OperationRefused` when there is none. */
  show(id: string): Promise<OutboxItem>
  /** Puts a parked entry back, or lets an unknown one be settled at once. Gives back what it is now. */
  retry(id: string): Promise<OutboxItem>
  /** `retry` for every entry that is parked. */
  retryAll(): Promise<Tally>
  /** Gives up a parked or unknown entry: its event is never sent. */
  discard(id: string): Promise<void>
}

/** A message a consumer has given up, as it lies in the queue of dead letters. */
export interface DeadLetter {
  /** The id of the event, the same in every queue it went to. A digest where a message has none. */
  readonly id: string
  /** Where it lies. */
  readonly deadLetterQueue: string
  /** Where it died, and where a replay sends it. */
  readonly queue: string
  readonly type?: string
  readonly subject?: string
  readonly source?: string
  readonly traceparent?: string
  /** What went wrong, in the words of the consumer or of the broker. */
  readonly reason?: string
  readonly attempts?: number
  /** Milliseconds since the Unix epoch. */
  readonly firstFailureAtMs?: number
  readonly bytes: number
}

/** A dead letter with what it says, bounded, and without what may be a credential. */
export interface DeadLetterDetail extends DeadLetter {
  /** As text; the first 50. */
  readonly headers: Readonly<Record<string, string>>
  /** The first 16 KiB, as text. */
  readonly body: string
}

export interface DeadLetterList {
  /** How many messages each queue of dead letters holds; undefined when the broker has no such queue. */
  readonly queues: readonly { readonly name: string; readonly messages?: number }[]
  /** The first of each queue, oldest first. */
  readonly letters: readonly DeadLetter[]
}

export interface DeadLetterOperations {
  /** Looks at up to `limit` letters of each queue and leaves them where they are. */
  list(limit: number): Promise<DeadLetterList>
  /** What lies there with this id, one for each queue it died in. Throws `OperationRefused` when there is none. */
  show(id: string): Promise<readonly DeadLetterDetail[]>
  /** Sends a letter back to every queue it died in. Throws `OperationRefused` when there is none of this id. */
  replay(id: string): Promise<Tally>
  /** Sends everything back that lies there now. */
  replayAll(): Promise<Tally>
  /**
   * Gives up what lies there with this id: nobody will handle it. Resolves with what it was. Throws `OperationRefused`
   * when there is none.
   */
  discard(id: string): Promise<readonly DeadLetter[]>
}

/** States of requests whose writes are to be undone, those first that wait for a person. */
export const COMPENSATION_STATES = ['parked', 'undoing', 'open'] as const
export type CompensationState = (typeof COMPENSATION_STATES)[number]

/** A request that writes to several services, without what the client sent: no field, no body and no query. */
export interface CompensationItem {
  readonly id: string
  /** `undone`: it is gone. */
  readonly state: CompensationState | 'undone'
  readonly route?: string
  readonly method?: string
  readonly path?: string
  readonly caller?: string
  readonly idempotencyKey?: string
  /** Id of the request: `id` of its log line, and what its client was given as `instance`. */
  readonly requestId?: string
  readonly traceparent?: string
  /** Why it is undone, or parked. */
  readonly reason?: string
  /** The call that is made next, while it is `undoing`: one that undoes a write, or the write again where nobody knows of it. */
  readonly next?: CompensationCall
  /** How often that was made in vain. */
  readonly attempts?: number
  /** How it failed last: a status, or what went wrong. */
  readonly lastFailure?: { readonly reason: string; readonly atMs: number }
  /** Times in milliseconds since the Unix epoch. */
  readonly beganAtMs?: number
  readonly undoingSinceMs?: number
  readonly parkedAtMs?: number
  /** When the next call is made. */
  readonly nextAtMs?: number
  /** In the order in which they were made. */
  readonly writes: readonly CompensationWrite[]
}

export interface CompensationCall {
  readonly kind: 'compensate' | 'ask-again'
  /** Of the write it is about. */
  readonly part: string
  readonly upstream: string
}

export interface CompensationWrite {
  readonly part: string
  readonly stage: 'pending' | 'done' | 'not-done' | 'unknown' | 'kept' | 'undone'
  readonly upstream: string
  /** Method and path, without its query. */
  readonly request: string
  /** The `Idempotency-Key` it was sent with. */
  readonly key?: string
  readonly reason?: string
  /** True when it cannot be undone. */
  readonly isStuck?: boolean
  /**
   * Method, path and upstream of its compensation; left out when it has none. The path has no query, and of its values
   * those that services gave.
   */
  readonly undoneBy?: string
}

export interface CompensationList {
  readonly counts: Readonly<Record<CompensationState, number>>
  readonly sagas: readonly CompensationItem[]
}

export interface CompensationTally extends Tally {
  /** How many waited for their next attempt, which is made at once now. */
  readonly broughtForward: number
}

export interface CompensationOperations {
  /** Up to `limit` requests, of one state or of all in the order of `COMPENSATION_STATES`; in each the oldest first. */
  list(wish: { readonly state?: CompensationState | undefined; readonly limit: number }): Promise<CompensationList>
  /** Throws `OperationRefused` when there is none. */
  show(id: string): Promise<CompensationItem>
  /** Tries to undo a parked request again, or one that waits at once. Gives back what it is now. */
  retry(id: string): Promise<CompensationItem>
  /** `retry` for every request that is parked or waits for its next attempt. */
  retryAll(): Promise<CompensationTally>
  /** Gives up a parked request: what of its writes still stands is left as it is. */
  discard(id: string): Promise<void>
}

/** Why an operator's wish was not done: there is no such thing, it is not in a state for it, or it cannot be reached. */
export class OperationRefused extends Error {
  override readonly name = 'OperationRefused'
  readonly kind: 'not-found' | 'wrong-state' | 'unavailable'

  constructor(kind: OperationRefused['kind'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }
}
