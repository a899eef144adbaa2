import type { Past, SagaEntry, SagaState, StoredSagaState } from './saga-entry.ts'

/** How many sagas there are. */
export type SagaCounts = Readonly<Record<StoredSagaState, number>>

/** Where a page of a list begins: after this saga, which may be gone by then. */
export type SagaCursor = Pick<SagaEntry, 'beganAtMs' | 'id'>

/**
 * Durable storage of sagas. Every write resolves once it is durable and rejects if it is not. A process owns what it
 * adds and what it claims; when it is gone, what it left `open` is `undoing`, and anybody may claim it.
 */
export interface SagaStorage {
  /** Tells it from every other storage, also after a restart. */
  readonly id: string
  /**
   * Rejects with `SagaFullError` when there is no room, and with `SagaInUseError` while there is another saga of the same
   * identity, or when its past is not what is remembered.
   */
  add(entry: SagaEntry): Promise<void>
  /**
   * Replaces a saga by what `change` makes of it, in one step. One that has become `done` or `undone` is gone, and of its
   * identity `pastAfter` it is remembered. Rejects with `SagaGoneError` when there is none, or another process owns it.
   */
  change(id: string, change: (entry: SagaEntry) => SagaEntry<SagaState>): Promise<void>
  /** What is remembered of this identity for a day; rejects with `SagaInUseError` while there is a saga of it. */
  past(identity: string): Promise<Past>
  /** Takes up to `limit` sagas that are to be undone and due, and nobody else's, oldest first. */
  claim(limit: number, nowMs: number): Promise<readonly SagaEntry[]>
  find(id: string): Promise<SagaEntry | undefined>
  counts(): Promise<SagaCounts>
  /** Up to `limit` sagas in this state, oldest first, from the beginning or after `after`. */
  list(state: StoredSagaState, limit: number, after?: SagaCursor): Promise<readonly SagaEntry[]>
  /** Finishes the writes under way; everything after that rejects. */
  close(): Promise<void>
}

/** How many sagas a journal holds unless told otherwise. */
export const DEFAULT_SAGA_CAPACITY = 100_000

/** How long it is remembered that a saga of an identity was undone, in milliseconds, and of how many identities. */
export const PAST_MS = 24 * 3_600_000
export const PAST_CAPACITY = 100_000

/** Why a saga is undone whose gateway has ended. */
export const LEFT_OPEN = 'the gateway ended before the answer was decided'

/** The journal has no room for another saga. */
export class SagaFullError extends Error {
  override readonly name = 'SagaFullError'

  constructor(capacity: number) {
    super(`Cannot note another write: the journal holds ${capacity} sagas, its limit; see what is parked`)
  }
}

/** The saga that another one of its identity has to wait for. */
export type SagaHolder = Pick<SagaEntry, 'id' | 'state' | 'nextAtMs'>

/** Another request of the same identity has writes under way, or had some in between: then it has no holder. */
export class SagaInUseError extends Error {
  override readonly name = 'SagaInUseError'
  readonly holder: SagaHolder | undefined

  constructor(holder?: SagaHolder) {
    super(
      holder
        ? `Another request with the same key has writes: saga ${holder.id} is ${holder.state}`
        : 'Another request with the same key was completed or undone in between',
    )
    this.holder = holder
  }
}

/** The saga is gone, or another process has it. */
export class SagaGoneError extends Error {
  override readonly name = 'SagaGoneError'

  constructor(id: string) {
    super(`There is no saga "${id}" that this process has`)
  }
}

/** The journal was closed: what is stored is found again when it is opened. */
export class JournalClosedError extends Error {
  override readonly name = 'JournalClosedError'

  constructor() {
    super('Cannot use the journal: it is closed')
  }
}
