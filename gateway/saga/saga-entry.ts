import type { SagaDraft, WriteDraft, WriteState } from '../core/journal.ts'

/**
 * Where a write stands. `pending` has no outcome yet; in a saga that is undone it counts as `unknown`.
 *
 *     pending ─┬─ not-done
 *              ├─ done ───┬─ kept (the saga was completed)
 *              └─ unknown ┴─ undone
 */
export type WriteStage = 'pending' | 'done' | 'not-done' | 'unknown' | 'kept' | 'undone'

/** A write with what is known of it. */
export interface JournalWrite extends WriteDraft {
  readonly stage: WriteStage
  /** Tells the call from others; left out where a repeat of its request cannot be told. */
  readonly fingerprint?: string
  /** True when an earlier request has completed it, so that this one only repeats it and never takes it back. */
  readonly stands?: boolean
  /** Why its outcome is unknown. */
  readonly reason?: string
  /** Why it cannot be undone: an operator decides. */
  readonly stuck?: string
}

/**
 * Where a saga stands. `done` and `undone` end its life.
 *
 *     open ─┬─ done
 *           └─ undoing ─┬─ undone
 *                       └─ parked ── undoing (an operator puts it back, or discards it)
 */
export type SagaState = 'open' | 'undoing' | 'parked' | 'done' | 'undone'

/** The states in which a saga takes up room. */
export type StoredSagaState = Exclude<SagaState, 'done' | 'undone'>

/** What earlier requests of one identity have left, remembered for a day. */
export interface Past {
  /** By part, how often its write was undone: what its key is derived from. */
  readonly undone: Readonly<Record<string, number>>
  /**
   * By part, the fingerprints of writes that stand, of a request that was completed. A repeat of it that fails must not
   * take them back, and nothing else may be written with their keys.
   */
  readonly kept: Readonly<Record<string, string>>
}

/** Of an identity that is new. */
export const NO_PAST: Past = { undone: {}, kept: {} }

/** One request's writes, in the order in which they were made. */
export interface SagaEntry<State extends SagaState = StoredSagaState> {
  readonly id: string
  readonly state: State
  readonly draft: SagaDraft
  /** What was remembered of its identity when it began. */
  readonly past: Past
  readonly writes: readonly JournalWrite[]
  /** Milliseconds since the Unix epoch, here and below. */
  readonly beganAtMs: number
  /** Why it is undone. */
  readonly reason?: string
  /** When it was decided that it is undone, or found to be, or an operator put it back: the bound is counted from here. */
  readonly undoingSinceMs?: number
  /** When an operator last put it back, so that writes are asked for again although much time has passed. */
  readonly requeuedAtMs?: number
  /** How often the call that is made next, towards undoing a write, was made in vain. */
  readonly attempts: number
  /** How it failed last. */
  readonly lastFailure?: { readonly reason: string; readonly atMs: number }
  /** When it is tried next; at once when left out. */
  readonly nextAtMs?: number
  readonly parkedAtMs?: number
}

/** What log lines about a saga begin with: the `id` is that of its request, by which the other lines are found. */
export function factsOf({ id, draft }: Pick<SagaEntry, 'id' | 'draft'>) {
  return { id: draft.requestId, saga: id, route: draft.route }
}

/** What clients may read of the writes. */
export function statesOf({ writes, state }: Pick<SagaEntry<SagaState>, 'writes' | 'state'>): WriteState[] {
  return writes.map((write) => ({ part: write.part, outcome: outcomeOf(write, state) }))
}

function outcomeOf(write: JournalWrite, state: SagaState): WriteState['outcome'] {
  const { stage, stands } = write
  if (stands) return 'done'
  if (stage === 'undone' || stage === 'not-done') return stage
  if (stage === 'kept') return 'done'
  if (write.compensation && state !== 'done') return 'undoing'
  return stage === 'done' ? 'done' : 'unknown'
}

/** The write that is to be undone next: the last of those that still are to be. */
export function nextToUndo({ writes }: Pick<SagaEntry, 'writes'>): JournalWrite | undefined {
  return writes.findLast(
    ({ stage, stands, stuck, compensation }) =>
      TO_UNDO.has(stage) && !stands && stuck === undefined && compensation !== undefined,
  )
}

const TO_UNDO: ReadonlySet<WriteStage> = new Set(['pending', 'unknown', 'done'])

/** The writes with one of them changed. */
export function withWrite(
  writes: readonly JournalWrite[],
  part: string,
  change: Partial<Omit<JournalWrite, 'part'>>,
): JournalWrite[] {
  return writes.map((write) => (write.part === part ? { ...write, ...change } : write))
}

/** What is remembered after the end of a saga: what was undone gets a new key, what stands keeps its own. */
export function pastAfter({ past, writes }: Pick<SagaEntry, 'past' | 'writes'>): Past {
  const undone = writes.filter(({ stage }) => stage === 'undone')
  const kept = writes.filter(({ stage }) => stage === 'kept')
  return {
    undone: {
      ...past.undone,
      ...Object.fromEntries(undone.map(({ part }) => [part, timesUndone(past, part) + 1])),
    },
    kept: { ...past.kept, ...Object.fromEntries(kept.map(({ part, fingerprint = '' }) => [part, fingerprint])) },
  }
}

/** How often the write of a part was undone. */
export function timesUndone({ undone }: Past, part: string): number {
  return (Object.hasOwn(undone, part) && undone[part]) || 0
}

/** The fingerprint of a part's write that stands. */
export function keptAs({ kept }: Past, part: string): string | undefined {
  return Object.hasOwn(kept, part) ? kept[part] : undefined
}

/** True when there is nothing to remember. */
export function isEmptyPast({ undone, kept }: Past): boolean {
  return Object.keys(kept).length === 0 && Object.keys(undone).length === 0
}

/** Whether a saga takes up room. */
export function isStored(entry: SagaEntry<SagaState>): entry is SagaEntry {
  return entry.state !== 'done' && entry.state !== 'undone'
}
