import type { CloudEvent, EventAddress, IntentDraft } from '../core/events.ts'

/**
 * What has become of an intent. `rejected` and `delivered` end an entry's life: nothing of it is kept.
 *
 *     pending ─┬─ committed ─┬─ delivered
 *              ├─ rejected   └─ parked ── committed (an operator puts it back)
 *              └─ unknown ──── committed · rejected · parked (recovery settles it)
 */
export type IntentState = 'pending' | 'committed' | 'rejected' | 'unknown' | 'delivered' | 'parked'

/** The states in which an entry takes up room in the outbox. */
export type StoredState = Exclude<IntentState, 'rejected' | 'delivered'>

/** An event that the broker has not confirmed yet. */
export interface DueEvent {
  /** The id of the intent, which is not the id of the event. */
  readonly id: string
  readonly event: CloudEvent
  readonly address: EventAddress
  /** Milliseconds since the Unix epoch. */
  readonly committedAtMs: number
}

/** One entry as an operator or the recovery sees it. */
export interface OutboxEntry {
  readonly id: string
  readonly state: StoredState
  readonly draft: IntentDraft
  /** Milliseconds since the Unix epoch. */
  readonly intendedAtMs: number
  /** Why it is unknown or parked. */
  readonly reason?: string
  readonly event?: CloudEvent
  readonly address?: EventAddress
  readonly committedAtMs?: number
}

/** How full the outbox is. */
export interface OutboxCounts {
  readonly pending: number
  readonly committed: number
  readonly unknown: number
  readonly parked: number
  /** When the oldest event that still waits for the broker was committed, in milliseconds since the Unix epoch. */
  readonly oldestCommittedAtMs?: number
}

/**
 * Durable storage of intents and of the events that follow from them. Every write resolves once it is
 * durable and rejects if it is not; a write that does not fit the entry's state rejects with `OutboxStateError`.
 */
export interface Outbox {
  /** Notes an intent, which takes up room for its event too. Rejects with `OutboxFullError` when there is none. */
  intend(id: string, draft: IntentDraft, atMs: number): Promise<void>
  /** From `pending` or `unknown`: the event is due. Never refused for want of room. */
  commit(id: string, committed: Omit<DueEvent, 'id'>): Promise<void>
  /** From `pending` or `unknown`: there is no event, the entry is gone. */
  reject(id: string): Promise<void>
  /** From `pending`: nobody knows. */
  markUnknown(id: string, reason: string): Promise<void>
  /**
   * Up to `limit` committed events, oldest first, at most one for each subject: its earliest, so that whoever
   * delivers them keeps the order. Leaves out the entries named in `busy`, whose subjects have to wait for them.
   */
  due(limit: number, busy: ReadonlySet<string>): Promise<readonly DueEvent[]>
  /** From `committed`: the broker has confirmed it, the entry is gone. Says nothing if it was gone already. */
  delivered(id: string): Promise<void>
  /** From `committed` or `unknown`: sets it aside for an operator; the next event of its subject becomes due. */
  park(id: string, reason: string): Promise<void>
  /** From `parked` with an event: due again, behind the other events of its subject. */
  requeue(id: string): Promise<void>
  counts(): Promise<OutboxCounts>
  /** Up to `limit` entries in this state, oldest intent first. */
  list(state: StoredState, limit: number): Promise<readonly OutboxEntry[]>
  /** Finishes the writes under way; everything after that rejects. */
  close(): Promise<void>
}

/** How many entries an outbox holds unless told otherwise: ten minutes of a hundred orders a second, and some. */
export const DEFAULT_OUTBOX_CAPACITY = 100_000

/** Why an intent was left without an outcome when its gateway ended. */
export const LEFT_WITHOUT_OUTCOME = 'the gateway ended before the outcome was known'

/** The outbox has no room for another intent. */
export class OutboxFullError extends Error {
  override readonly name = 'OutboxFullError'

  constructor(capacity: number) {
    super(
      `Cannot note another intent: the outbox holds ${capacity} entries, its limit; see whether the broker is reachable`,
    )
  }
}

/** A write that does not fit the state of its entry, e.g. the commit of an intent that was rejected. */
export class OutboxStateError extends Error {
  override readonly name = 'OutboxStateError'

  constructor(write: string, id: string, expected: string) {
    super(`Cannot ${write} intent "${id}": there is none that is ${expected}`)
  }
}

/** The outbox was closed: what is stored is found again when it is opened. */
export class OutboxClosedError extends Error {
  override readonly name = 'OutboxClosedError'

  constructor() {
    super('Cannot use the outbox: it is closed')
  }
}
