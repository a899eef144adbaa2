import { Database } from 'bun:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { keepWriteAheadLog } from './sqlite-wal.ts'

describe('A new file that another process has just begun to write', () => {
  let folder = ''
  let other: Database
  let database: Database
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-wal-'))
    const open = () => new Database(join(folder, 'new.db'), { create: true })
    other = open()
    database = open()
    // However long SQLite may wait, it does not: two that have begun to read cannot both write.
    database.run('PRAGMA busy_timeout = 60000')
    other.run('BEGIN IMMEDIATE')
  })
  afterEach(() => {
    database.close()
    other.close()
    rmSync(folder, { recursive: true })
  })

  const mode = () => database.query<{ journal_mode: string }, []>('PRAGMA journal_mode').get()?.journal_mode
  /** Time that goes by in pauses only; at the end of the third the other process is done when it is to be. */
  function waiting(isDone: boolean) {
    const pausesMs: number[] = []
    let nowMs = 0
    const pause = (ms: number) => {
      nowMs += ms
      pausesMs.push(ms)
      if (isDone && pausesMs.length === 3) other.run('COMMIT')
    }
    return { pausesMs, monotonic: () => nowMs, pause }
  }

  test('keeps a write-ahead log once that is done', () => {
    const time = waiting(true)
    keepWriteAheadLog(database, time)
    expect(mode()).toBe('wal')
    expect(time.pausesMs).toEqual([1, 2, 4])
  })

  test('is left as it is when that is not done in 2 s', () => {
    const time = waiting(false)
    expect(() => keepWriteAheadLog(database, time)).toThrow('database is locked')
    expect(mode()).toBe('delete')
    expect(time.monotonic()).toBeGreaterThanOrEqual(2_000)
    expect(time.monotonic()).toBeLessThan(2_010)
  })
})
