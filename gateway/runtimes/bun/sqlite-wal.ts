import type { Database } from 'bun:sqlite'
import { busyPauseMs, isBusy } from './sqlite-busy.ts'

/** How long processes that open one new file at the same moment get to agree, in milliseconds. */
const PATIENCE_MS = 2_000

/** A clock that only goes on, and a pause in which the process does nothing else: it has nothing else to do yet. */
export interface Waiting {
  readonly monotonic: () => number
  readonly pause: (ms: number) => void
}

const REALLY: Waiting = { monotonic: () => performance.now(), pause: Bun.sleepSync }

/**
 * Makes a file keep a write-ahead log, as it then does for good. Of several processes that switch a new file over at the
 * same moment SQLite refuses some at once, whatever their `busy_timeout` says, since waiting for each other might never
 * end (https://www.sqlite.org/c3ref/busy_handler.html). They try again for 2 s; then it throws what SQLite said.
 */
export function keepWriteAheadLog(database: Database, { monotonic, pause }: Waiting = REALLY): void {
  const endMs = monotonic() + PATIENCE_MS
  for (let tries = 0; ; tries++) {
    try {
      database.run('PRAGMA journal_mode = WAL')
      return
    } catch (error) {
      if (!isBusy(error) || monotonic() >= endMs) throw error
    }
    pause(busyPauseMs(tries))
  }
}
