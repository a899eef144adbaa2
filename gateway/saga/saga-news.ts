import type { CallRecord } from '../core/record.ts'
import type { SagaEntry, SagaState } from './saga-entry.ts'

/** Who waits for a saga. */
export interface SagaFollower {
  /** The saga has changed. */
  changed(entry: SagaEntry<SagaState>): void
  /** A call is made to undo one of its writes; the record is filled in as more becomes known. */
  calling(record: CallRecord): void
}

/** Tells who waits for a saga what becomes of it. */
export interface SagaNews {
  tell(entry: SagaEntry<SagaState>): void
  calling(id: string, record: CallRecord): void
  /** Tells `follower` until the returned function is called. */
  follow(id: string, follower: SagaFollower): () => void
}

export function createSagaNews(): SagaNews {
  const followers = new Map<string, SagaFollower>()
  return {
    tell: (entry) => followers.get(entry.id)?.changed(entry),
    calling: (id, record) => followers.get(id)?.calling(record),
    follow(id, follower) {
      followers.set(id, follower)
      return () => {
        followers.delete(id)
      }
    },
  }
}
