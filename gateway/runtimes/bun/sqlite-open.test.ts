import { afterEach, expect, test } from 'bun:test'
import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDatabaseFile } from './sqlite-open.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-open-'))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const forOthers = (path: string) => statSync(path).mode & 0o007

test('what clients sent cannot be read by other users of the machine, and a mode that somebody chose stays', () => {
  const path = join(folder, 'new', 'outbox.db')
  const write = (): number[] => {
    const database = openDatabaseFile(path)
    database.run('PRAGMA journal_mode = WAL')
    database.run('CREATE TABLE IF NOT EXISTS notes (text TEXT)')
    const modes = [path, `${path}-wal`, `${path}-shm`].map(forOthers)
    database.close(true)
    return modes
  }
  expect(write()).toEqual([0, 0, 0])
  chmodSync(path, 0o644)
  expect(write()).toEqual([4, 4, 4])
})
