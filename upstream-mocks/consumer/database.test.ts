import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDatabase } from './database.ts'

/** Begins to write a new file, and is done a moment after it has said so. */
const OTHER = `
  const database = new (require('bun:sqlite').Database)(process.argv[1], { create: true })
  database.run('BEGIN IMMEDIATE')
  console.log('writing')
  setTimeout(() => database.run('COMMIT'), 100)`

test('a new database that another process begins to write at the same moment is waited for', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'consumer-database-'))
  const path = join(folder, 'notes.db')
  const other = Bun.spawn([process.execPath, '-e', OTHER, path], { stdout: 'pipe', stderr: 'inherit' })
  const { value } = await other.stdout.getReader().read()
  expect(new TextDecoder().decode(value)).toBe('writing\n')
  const database = openDatabase(path)
  expect(database.query('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' })
  database.close()
  expect(await other.exited).toBe(0)
  rmSync(folder, { recursive: true })
})
