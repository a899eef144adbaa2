import type { Database } from 'bun:sqlite'
import type { Clock } from '../../core/clock.ts'
import { BUSY_PATIENCE_MS, busyPauseMs, isBusy } from './sqlite-busy.ts'
import { systemClock } from './system-clock.ts'

interface Write {
  readonly run: () => void
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Runs writes in shared transactions. */
export interface GroupCommit {
  /** Resolves once `run`'s changes are on the disk, rejects with what it throws or with why they could not be stored. */
  write(run: () => void): Promise<void>
  /** Stores what is waiting, at once unless another process is in the way. */
  flush(): void
}

/**
 * Gathers the writes of one turn of the event loop into one transaction, so that they share one sync of the disk,
 * which costs as much as hundreds of writes. A write that throws is undone alone. While another process has the
 * database, writes gather on, and the event loop with them: none waits longer than 5 s.
 */
export function createGroupCommit(database: Database, clock: Clock = systemClock): GroupCommit {
  let waiting: Write[] = []
  /** Since when, and how often, another process was found in the way. */
  let busy: { readonly sinceMs: number; readonly tries: number } | undefined

  function flush(): void {
    if (waiting.length === 0) return
    try {
      database.run('BEGIN IMMEDIATE')
    } catch (error) {
      const nowMs = clock.monotonic()
      busy = { sinceMs: busy?.sinceMs ?? nowMs, tries: (busy?.tries ?? -1) + 1 }
      if (isBusy(error) && nowMs - busy.sinceMs < BUSY_PATIENCE_MS) clock.after(busyPauseMs(busy.tries), flush)
      else rejectAll(takeWaiting(), error)
      return
    }
    const writes = takeWaiting()
    try {
      const done = runTogether(database, writes)
      for (const write of done) write.resolve()
    } catch (error) {
      if (database.inTransaction) database.run('ROLLBACK')
      rejectAll(writes, error)
    }
  }

  function takeWaiting(): Write[] {
    const writes = waiting
    waiting = []
    busy = undefined
    return writes
  }

  return {
    write(run) {
      return new Promise((resolve, reject) => {
        if (waiting.length === 0) setImmediate(flush)
        waiting.push({ run, resolve, reject })
      })
    },
    flush,
  }
}

function rejectAll(writes: readonly Write[], error: unknown): void {
  for (const write of writes) write.reject(error)
}

/** Returns the writes that are stored now; those that failed alone have been rejected. */
function runTogether(database: Database, writes: readonly Write[]): Write[] {
  const done: Write[] = []
  for (const write of writes) {
    database.run('SAVEPOINT one')
    try {
      write.run()
      done.push(write)
    } catch (error) {
      // A full disk or an I/O error may have ended the whole transaction.
      if (!database.inTransaction) throw error
      database.run('ROLLBACK TO one')
      write.reject(error)
    }
    database.run('RELEASE one')
  }
  database.run('COMMIT')
  return done
}
