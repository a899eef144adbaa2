import { Database } from 'bun:sqlite'
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { realClock } from '../../../tests/support/real-time.ts'
import { testBoundedStore, testStore } from '../../../tests/support/store-conformance.ts'
import { createVirtualClock } from '../../../tests/support/virtual-clock.ts'
import { StoreUnavailable } from '../../core/store.ts'
import { openSqliteOutbox } from './sqlite-outbox.ts'
import { openSqliteStore, type SqliteStoreOptions } from './sqlite-store.ts'

const MINUTE_MS = 60_000

let directory = ''
let files = 0
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-store-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

const newPath = () => join(directory, `store-${files++}.db`)

function underTest(options: Partial<SqliteStoreOptions> = {}) {
  const clock = createVirtualClock()
  const store = openSqliteStore({ path: newPath(), clock, ...options })
  return { store, advance: (ms: number) => clock.advance(ms), close: async () => store.close() }
}

testStore('SQLite', async () => underTest())
testBoundedStore('SQLite', async ({ entries, bytes }) => underTest({ maximumEntries: entries, maximumBytes: bytes }))

describe('the SQLite store', () => {
  const clock = createVirtualClock()

  test('makes the directory of its file', () => {
    const path = join(directory, 'a', 'b', 'store.db')
    openSqliteStore({ path, clock }).close()
    expect(existsSync(path)).toBe(true)
  })

  test('finds its values, and who pays for them, again', async () => {
    const path = newPath()
    const before = openSqliteStore({ path, clock, maximumEntries: 4 })
    await before.putIfAbsent('a', 'lease', { ttlMs: MINUTE_MS, account: 'caller' })
    await before.putIfAbsent('b', 'lease', { ttlMs: MINUTE_MS, account: 'caller' })
    before.close()
    const after = openSqliteStore({ path, clock, maximumEntries: 4 })
    expect(await after.get('a')).toBe('lease')
    const third = after.putIfAbsent('c', 'lease', { ttlMs: MINUTE_MS, account: 'caller' })
    await expect(third).rejects.toBeInstanceOf(StoreUnavailable)
    expect(await after.putIfAbsent('c', 'lease', { ttlMs: MINUTE_MS, account: 'other' })).toBeUndefined()
    after.close()
  })

  test('lets two gateways use one file, of which one gets a free key and both see the outcome', async () => {
    const path = newPath()
    const [one, other] = [openSqliteStore({ path, clock }), openSqliteStore({ path, clock })]
    const answers = await Promise.all([
      one.putIfAbsent('key', 'one', { ttlMs: MINUTE_MS }),
      other.putIfAbsent('key', 'other', { ttlMs: MINUTE_MS }),
    ])
    expect(answers.filter((answer) => answer === undefined)).toHaveLength(1)
    const owner = (await one.get('key')) ?? ''
    expect(await (owner === 'one' ? one : other).replace('key', owner, 'outcome', MINUTE_MS)).toBe(true)
    expect([await one.get('key'), await other.get('key')]).toEqual(['outcome', 'outcome'])
    one.close()
    other.close()
  })

  test('gives each of many keys to one of several processes that want them at once', async () => {
    const path = newPath()
    openSqliteStore({ path, clock }).close()
    const keys = Array.from({ length: 100 }, (_, i) => `key-${i}`)
    const script = new URL('../../../tests/support/store-reserver-process.ts', import.meta.url).pathname
    const outputs = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const child = Bun.spawn(['bun', script, path, keys.join(',')], { stdout: 'pipe', stderr: 'pipe' })
        const [output, errors] = await Promise.all([
          new Response(child.stdout).text(),
          new Response(child.stderr).text(),
        ])
        expect(errors).toBe('')
        return JSON.parse(output) as { token: string; won: string[] }
      }),
    )
    expect(outputs.flatMap(({ won }) => won).sort()).toEqual([...keys].sort())
    const database = new Database(path, { readonly: true })
    const held = database.query<{ key: string; value: string }, []>('SELECT key, value FROM items').all()
    for (const { token, won } of outputs) {
      expect(
        held
          .filter(({ value }) => value === token)
          .map(({ key }) => key)
          .sort(),
      ).toEqual(won.sort())
    }
    expect(database.query('SELECT entries FROM accounts').get()).toEqual({ entries: 100 })
    database.close()
  })

  test('lets the writes of one turn share one transaction', async () => {
    const path = newPath()
    const store = openSqliteStore({ path, clock })
    const sizeOfLog = () => statSync(`${path}-wal`).size
    const before = sizeOfLog()
    await Promise.all(Array.from({ length: 64 }, (_, i) => store.set(`key-${i}`, 'v', MINUTE_MS)))
    const together = sizeOfLog() - before
    const middle = sizeOfLog()
    for (let i = 64; i < 128; i++) await store.set(`key-${i}`, 'v', MINUTE_MS)
    expect(together * 8).toBeLessThan(sizeOfLog() - middle)
    store.close()
  })

  test('keeps no more in its file than it may hold, however much passes through', async () => {
    const path = newPath()
    const passing = createVirtualClock()
    const store = openSqliteStore({ path, clock: passing, maximumBytes: 1_000_000 })
    for (let round = 0; round < 20; round++) {
      const value = 'v'.repeat(5_000)
      await Promise.all(Array.from({ length: 100 }, (_, i) => store.set(`${round}:${i}`, value, 1_000)))
      await passing.advance(1_001)
    }
    store.close()
    expect(statSync(path).size).toBeLessThan(2_000_000)
  })

  test('says StoreUnavailable when it is closed, or another process holds on to the file', async () => {
    const path = newPath()
    const store = openSqliteStore({ path, clock: realClock, timeoutMs: 100 })
    const other = new Database(path)
    other.run('BEGIN IMMEDIATE')
    await expect(store.set('key', 'held up', MINUTE_MS)).rejects.toBeInstanceOf(StoreUnavailable)
    expect(await store.get('key')).toBeUndefined()
    other.run('ROLLBACK')
    await store.set('key', 'v', MINUTE_MS)
    expect(await store.get('key')).toBe('v')
    other.close()
    store.close()
    await expect(store.get('key')).rejects.toBeInstanceOf(StoreUnavailable)
    await expect(store.set('key', 'v', MINUTE_MS)).rejects.toBeInstanceOf(StoreUnavailable)
  })

  describe('does not open, and says why and what to change:', () => {
    const opening = (path: string) => () => openSqliteStore({ path, clock })

    test('the database of something else, which stays as it is', async () => {
      const path = newPath()
      await openSqliteOutbox({ path }).close()
      expect(opening(path)).toThrow(
        `Cannot open the store ${path}: it is the database of something else (the outbox?): the store needs a file of its own; change services.store`,
      )
      await openSqliteOutbox({ path }).close()
    })

    test('a file that is no database', () => {
      const path = newPath()
      writeFileSync(path, 'no database '.repeat(100))
      expect(opening(path)).toThrow(/^Cannot open the store .*: file is not a database; change services\.store$/)
    })

    test('a folder', () => {
      expect(opening(directory)).toThrow(/^Cannot open the store .*; change services\.store$/)
    })

    test('a file of a newer version', () => {
      const path = newPath()
      opening(path)().close()
      const database = new Database(path)
      database.run('PRAGMA user_version = 7')
      database.close()
      expect(opening(path)).toThrow('it has schema 7, this version knows 1')
    })
  })
})
