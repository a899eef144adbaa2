import type { CloudEvent, EventAddress, IntentDraft } from '../core/events.ts'

/**
 * What has become of an intent. `rejected` ends an entry's life, `delivered` leaves a receipt of it for a while.
 *
 *     pending ─┬─ committed ─┬─ delivered
 *              ├─ rejected   └─ parked ── committed · unknown (an operator puts it back, or discards it)
 *              ├─ parked (its event must not be sent as it is)
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
  /** How often recovery has tried to settle it. */
  readonly attempts: number
  /** When recovery tries next; at once when left out. */
  readonly nextAtMs?: number
  readonly parkedAtMs?: number
  /** When an operator last put it back, which starts the bound of its settlement anew. */
  readonly requeuedAtMs?: number
  readonly event?: CloudEvent
  readonly address?: EventAddress
  readonly committedAtMs?: number
}

/** What is left of an entry that was delivered. */
export interface Receipt {
  readonly id: string
  readonly state: 'delivered'
  readonly deliveredAtMs: number
  readonly caller?: string
}

/** Where a page of a list begins: after this entry, which may be gone by then. */
export type ListCursor = Pick<OutboxEntry, 'intendedAtMs' | 'id'>

/** What somebody who settles has in hand: ids of entries, and upstreams for which he has enough of them. */
export interface InHand {
  readonly ids: ReadonlySet<string>
  readonly upstreams: ReadonlySet<string>
}

/** An attempt to settle that left the outcome unknown. */
export interface PostponedAttempt {
  /** How many there were by now. */
  readonly attempts: number
  readonly nextAtMs: number
  readonly reason: string
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
  /**
   * Notes an event that is due without an intent before it. Rejects with `OutboxFullError` when there is no room, and
   * with `OutboxStateError` when there is an entry of this id, or a receipt that is remembered.
   */
  add(due: DueEvent, draft: IntentDraft): Promise<void>
  /**
   * From `pending` or `unknown`: the event is due, and how to settle it is forgotten with what the client sent. Never
   * refused for want of room.
   */
  commit(id: string, committed: Omit<DueEvent, 'id'>): Promise<void>
  /** From `pending` or `unknown`: there is an event, and it is parked at once, for an operator to decide. */
  withhold(id: string, withheld: Omit<DueEvent, 'id'>, reason: string): Promise<void>
  /** From `pending` or `unknown`: there is no event, the entry is gone. */
  reject(id: string): Promise<void>
  /** From `pending`: nobody knows. */
  markUnknown(id: string, reason: string): Promise<void>
  /**
   * Up to `limit` committed events, oldest first, at most one for each subject: its earliest, so that whoever
   * delivers them keeps the order. Leaves out the entries named in `busy`, whose subjects have to wait for them, and
   * those whose `addressKey` is in `withheld`.
   */
  due(limit: number, busy: ReadonlySet<string>, withheld?: ReadonlySet<string>): Promise<readonly DueEvent[]>
  /**
   * From `committed`: the broker has confirmed it, the entry is gone. Leaves a receipt for 24 h, unless 100,000 later
   * ones push it out; receipts take up no room. Says nothing if the entry was gone already.
   */
  delivered(id: string, atMs: number): Promise<void>
  /**
   * Up to `limit` unknown entries that recovery may try by `nowMs`, oldest intent first. One that would have to wait
   * longer than `LONGEST_POSTPONEMENT_MS` from then was postponed before the clock was set back, and may be tried too.
   * Leaves out what is `inHand`, by its id or by the upstream that settles it.
   */
  unsettled(limit: number, nowMs: number, inHand?: InHand): Promise<readonly OutboxEntry[]>
  /** From `unknown`: it was tried and is still not known. */
  postpone(id: string, attempt: PostponedAttempt): Promise<void>
  /** From `committed` or `unknown`: sets it aside for an operator; the next event of its subject becomes due. */
  park(id: string, reason: string, atMs: number): Promise<void>
  /**
   * From `parked`. With an event: due again, behind the other events of its subject. Without one, but with a
   * settlement: unknown again, for recovery to try at once, with the bound counted from `atMs`.
   */
  requeue(id: string, atMs: number): Promise<void>
  /** From `parked` or `unknown`, at an operator's word: gone, and nothing is sent. */
  discard(id: string): Promise<void>
  /** The entry in whatever state, or the receipt of a delivered one. */
  find(id: string): Promise<OutboxEntry | Receipt | undefined>
  counts(): Promise<OutboxCounts>
  /** Up to `limit` entries in this state, oldest intent first, from the beginning or after `after`. */
  list(state: StoredState, limit: number, after?: ListCursor): Promise<readonly OutboxEntry[]>
  /**
   * The lease of whoever may deliver and settle: true when `holder` has it for `ttlMs` from now on, whether it is new
   * or prolonged; false while another has it. `nowMs` is a reading of the caller's monotonic clock.
   */
  acquireLease(holder: string, ttlMs: number, nowMs: number): Promise<boolean>
  /** Gives the lease up, if `holder` has it: the next who asks gets it at once. */
  releaseLease(holder: string): Promise<void>
  /** Finishes the writes under way; everything after that rejects. */
  close(): Promise<void>
}

/** Names an address in a set of them. */
export function addressKey({ exchange, routingKey }: EventAddress): string {
  return `${exchange}\u001f${routingKey}`
}

/** How many entries an outbox holds unless told otherwise: ten minutes of a hundred orders a second, and some. */
export const DEFAULT_OUTBOX_CAPACITY = 100_000

/** How long the receipt of a delivered entry is kept, in milliseconds. */
export const RECEIPT_MS = 24 * 3_600_000

/** Whether a receipt still says something: it may lie there longer, until later ones push it out. */
export function isRemembered({ deliveredAtMs }: Pick<Receipt, 'deliveredAtMs'>, nowMs: number): boolean {
  return nowMs - deliveredAtMs <= RECEIPT_MS
}

/** How many receipts are kept. */
export const RECEIPT_CAPACITY = 100_000

/** How far ahead an entry may be postponed, in milliseconds. */
export const LONGEST_POSTPONEMENT_MS = 300_000

/** Why an intent was left without an outcome when its gateway ended. */
export const LEFT_WITHOUT_OUTCOME = 'the gateway ended before the outcome was known'

/** Why an intent is unknown again. */
export const PUT_BACK = 'an operator put it back'

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
