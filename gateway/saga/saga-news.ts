import type { SagaEntry, SagaState } from './saga-entry.ts'

type Listener = (entry: SagaEntry<SagaState>) => void

/** Tells who waits for a saga what has become of it. */
export interface SagaNews {
  tell(entry: SagaEntry<SagaState>): void
  /** Calls `listener` at each change, until the returned function is called. */
  follow(id: string, listener: Listener): () => void
}

export function createSagaNews(): SagaNews {
  const listeners = new Map<string, Listener>()
  return {
    tell: (entry) => listeners.get(entry.id)?.(entry),
    follow(id, listener) {
      listeners.set(id, listener)
      return () => {
        listeners.delete(id)
      }
    },
  }
}
