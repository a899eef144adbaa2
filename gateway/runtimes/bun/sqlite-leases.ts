import type { Database } from 'bun:sqlite'
import { identifyProcess, isProcessGone } from './process-identity.ts'

interface LeaseRow {
  readonly name: string
  readonly holder: string
  /** What tells whether the holder's process is gone. */
  readonly process: string
  readonly beat: number
  readonly ttl_ms: number
}

/** Leases in a database. Every function is to be called in a transaction. */
export interface Leases {
  /** True when `holder` has the lease from now on. `nowMs` is a reading of this process's monotonic clock. */
  acquire(lease: { readonly name: string; readonly holder: string; readonly ttlMs: number }, nowMs: number): boolean
  release(name: string, holder: string): void
  /** Takes away every lease whose name begins with `prefix` and whose holder is gone or silent. */
  dropRunOut(prefix: string, nowMs: number): void
  finalize(): void
}

/**
 * Leases that run out for whoever has watched the beat stand still for as long as the holder said, by the
 * watcher's own monotonic clock: no two clocks are ever compared, so that setting one moves no lease. A holder whose
 * process has certainly ended is not waited for.
 */
export function createLeases(database: Database): Leases {
  const get = database.prepare<LeaseRow, [name: string]>('SELECT * FROM leases WHERE name = ?')
  const put = database.prepare<null, [name: string, holder: string, process: string, beat: number, ttlMs: number]>(
    'INSERT OR REPLACE INTO leases (name, holder, process, beat, ttl_ms) VALUES (?, ?, ?, ?, ?)',
  )
  const remove = database.prepare<null, [name: string, holder: string]>(
    'DELETE FROM leases WHERE name = ? AND holder = ?',
  )
  const list = database.prepare<LeaseRow, [prefix: string]>('SELECT * FROM leases WHERE name GLOB ?')
  const self = identifyProcess()
  const watched = new Map<string, { readonly holder: string; readonly beat: number; readonly sinceMs: number }>()

  function hasRunOut({ name, holder, beat, process, ttl_ms: ttlMs }: LeaseRow, nowMs: number): boolean {
    if (process !== self && isProcessGone(process)) return true
    const last = watched.get(name)
    if (last && last.holder === holder && last.beat === beat) return nowMs - last.sinceMs >= ttlMs
    watched.set(name, { holder, beat, sinceMs: nowMs })
    return false
  }

  return {
    acquire({ name, holder, ttlMs }, nowMs) {
      const present = get.get(name)
      if (present && present.holder !== holder && !hasRunOut(present, nowMs)) return false
      const beat = (present?.beat ?? 0) + 1
      put.run(name, holder, self, beat, ttlMs)
      watched.set(name, { holder, beat, sinceMs: nowMs })
      return true
    },
    release(name, holder) {
      remove.run(name, holder)
    },
    dropRunOut(prefix, nowMs) {
      for (const lease of list.all(`${prefix}*`)) {
        if (!hasRunOut(lease, nowMs)) continue
        remove.run(lease.name, lease.holder)
        watched.delete(lease.name)
      }
    },
    finalize() {
      for (const statement of [get, put, remove, list]) statement.finalize()
    },
  }
}
