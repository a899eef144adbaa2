import type { Database } from 'bun:sqlite'

interface Write {
  readonly run: () => void
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Runs writes in shared transactions. */
export interface GroupCommit {
  /** Resolves once `run`'s changes are on the disk, rejects with what it throws or with why they could not be stored. */
  write(run: () => void): Promise<void>
  /** Stores what is waiting, at once. */
  flush(): void
}

/**
 * Gathers the writes of one turn of the event loop into one transaction, so that they share one sync of the disk,
 * which costs as much as hundreds of writes. A write that throws is undone alone.
 */
export function createGroupCommit(database: Database): GroupCommit {
  let waiting: Write[] = []

  function flush(): void {
    const writes = waiting
    waiting = []
    if (writes.length === 0) return
    try {
      const done = runTogether(database, writes)
      for (const write of done) write.resolve()
    } catch (error) {
      if (database.inTransaction) database.run('ROLLBACK')
      for (const write of writes) write.reject(error)
    }
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

/** Returns the writes that are stored now; those that failed alone have been rejected. */
function runTogether(database: Database, writes: readonly Write[]): Write[] {
  const done: Write[] = []
  database.run('BEGIN IMMEDIATE')
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
