import { Database } from 'bun:sqlite'
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { commitOrder, testOutbox } from '../../../tests/support/outbox-conformance.ts'
import { LEFT_WITHOUT_OUTCOME } from '../../events/outbox.ts'
import { openSqliteOutbox } from './sqlite-outbox.ts'
import { migrate } from './sqlite-schema.ts'

const DRAFT = { route: 'place-order', method: 'POST', path: '/orders' }

let directory = ''
let files = 0
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-outbox-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

const newPath = () => join(directory, `outbox-${files++}.db`)

testOutbox('The SQLite outbox', (capacity) =>
  openSqliteOutbox(capacity === undefined ? { path: newPath() } : { path: newPath(), capacity }),
)

describe('The SQLite outbox', () => {
  test('makes the directory of its file', async () => {
    const path = join(directory, 'a', 'b', 'outbox.db')
    await openSqliteOutbox({ path }).close()
    expect(existsSync(path)).toBe(true)
  })

  test('finds its entries again: what was committed is due in order, what was left open is unknown', async () => {
    const path = newPath()
    const before = openSqliteOutbox({ path, capacity: 4 })
    await before.intend('left', DRAFT, 1)
    await commitOrder(before, 'a1', 'a')
    await commitOrder(before, 'a2', 'a')
    await before.close()

    const after = openSqliteOutbox({ path, capacity: 4 })
    expect((await after.due(10, new Set())).map(({ id }) => id)).toEqual(['a1'])
    expect(await after.list('unknown', 10)).toMatchObject([{ id: 'left', draft: DRAFT, reason: LEFT_WITHOUT_OUTCOME }])
    await commitOrder(after, 'a3', 'a')
    await expect(after.intend('one too many', DRAFT, 1)).rejects.toThrow('holds 4 entries')
    const order: (string | undefined)[] = []
    for (let i = 0; i < 3; i++) {
      const [next] = await after.due(10, new Set())
      order.push(next?.id)
      await after.delivered(next?.id ?? '', 1)
    }
    expect(order).toEqual(['a1', 'a2', 'a3'])
    await after.close()
  })

  test('has each transaction synced before it is acknowledged: what was written survives a power loss', () => {
    const database = new Database(newPath())
    migrate(database)
    const settings = ['synchronous', 'journal_mode'].map(
      (name) => Object.values(database.query(`PRAGMA ${name}`).get() ?? {})[0],
    )
    // 2 is FULL. With NORMAL a log is synced at checkpoints only.
    expect(settings).toEqual([2, 'wal'])
    database.close()
  })

  test('lets the writes of one turn share one transaction', async () => {
    const path = newPath()
    const outbox = openSqliteOutbox({ path })
    const sizeOfLog = () => Bun.file(`${path}-wal`).size
    const before = sizeOfLog()
    await Promise.all(Array.from({ length: 64 }, (_, i) => outbox.intend(`intent-${i}`, DRAFT, 1)))
    const together = sizeOfLog() - before
    for (let i = 0; i < 64; i++) await outbox.intend(`alone-${i}`, DRAFT, 1)
    const alone = sizeOfLog() - before - together
    // Each transaction logs every page it touched, so 64 of them log the same pages many times over.
    expect(together * 5).toBeLessThan(alone)
    await outbox.close()
  })

  test('keeps everything it acknowledged when its process is killed', async () => {
    const path = newPath()
    const script = join(import.meta.dir, '../../../tests/support/outbox-writer-process.ts')
    const writer = Bun.spawn([process.execPath, script, path], { stdout: 'pipe', stderr: 'inherit' })
    let said = ''
    for await (const chunk of writer.stdout.pipeThrough(new TextDecoderStream())) {
      said += chunk
      if (said.includes('committed 20-19')) writer.kill('SIGKILL')
    }
    await writer.exited

    const outbox = openSqliteOutbox({ path })
    const unknown = new Set((await outbox.list('unknown', 10_000)).map(({ id }) => id))
    const committed = new Set((await outbox.list('committed', 10_000)).map(({ id }) => id))
    const lines = said.split('\n').slice(0, -1)
    const acknowledged = (word: string) =>
      lines.filter((line) => line.startsWith(word)).map((line) => line.split(' ')[1])
    expect(acknowledged('committed').length).toBeGreaterThanOrEqual(420)
    expect(acknowledged('committed').filter((id) => !committed.has(id ?? ''))).toEqual([])
    expect(acknowledged('intended').filter((id) => !unknown.has(id ?? '') && !committed.has(id ?? ''))).toEqual([])
    expect(unknown).toContain('0-left')
    expect((await outbox.counts()).pending).toBe(0)
    await outbox.close()
  }, 30_000)

  test('rejects every write of a transaction the disk refused, and works on when the disk has room again', async () => {
    const path = newPath()
    await openSqliteOutbox({ path }).close()
    const saboteur = new Database(path)
    // As a full disk does, this ends the whole transaction and not only the statement.
    saboteur.run(`CREATE TRIGGER full BEFORE INSERT ON entries WHEN NEW.id = 'unlucky'
      BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END`)
    saboteur.close()

    const outbox = openSqliteOutbox({ path, capacity: 3 })
    await outbox.intend('a', DRAFT, 1)
    const together = ['b', 'unlucky'].map((id) => outbox.intend(id, DRAFT, 1))
    const results = await Promise.allSettled(together)
    expect(results.map((result) => result.status === 'rejected' && String(result.reason))).toEqual([
      'SQLiteError: database or disk is full',
      'SQLiteError: database or disk is full',
    ])
    expect(await outbox.counts()).toMatchObject({ pending: 1 })
    await Promise.all(['b', 'c'].map((id) => outbox.intend(id, DRAFT, 1)))
    expect(await outbox.counts()).toMatchObject({ pending: 3 })
    await outbox.close()
  })

  const unopenable: { name: string; prepare: (path: string) => string | Promise<string>; says: string }[] = [
    {
      name: 'a file that another process keeps to itself',
      prepare: (path) => {
        const other = new Database(path, { create: true })
        other.run('BEGIN EXCLUSIVE')
        opened.push(other)
        return path
      },
      says: 'database is locked; another process keeps it to itself',
    },
    {
      name: 'a file that is no database',
      prepare: (path) => {
        writeFileSync(
          path,
          'this is a text file, longer than the header of a database is, which has a hundred bytes'.repeat(3),
        )
        return path
      },
      says: 'file is not a database; it is some other file: give the outbox a file of its own (services.outbox)',
    },
    {
      name: 'the database of another program',
      prepare: (path) => {
        const other = new Database(path, { create: true })
        other.run('CREATE TABLE albums (title TEXT)')
        other.close()
        return path
      },
      says: 'it is a database of another program (it has the table "albums")',
    },
    {
      name: 'a damaged file',
      prepare: async (path) => {
        await fill(path)
        const bytes = readFileSync(path)
        writeFileSync(path, bytes.fill(0xaa, 4_096, 4_096 * 6))
        return path
      },
      says: 'the file is damaged: move it away together with its -wal and -shm files',
    },
    {
      name: 'a file that was cut off',
      prepare: async (path) => {
        await fill(path)
        const bytes = readFileSync(path)
        writeFileSync(path, bytes.subarray(0, Math.floor(bytes.length / 2)))
        return path
      },
      says: 'the file is damaged',
    },
    {
      name: 'a file of a newer version',
      prepare: (path) => {
        const other = new Database(path, { create: true })
        other.run('PRAGMA user_version = 99')
        other.close()
        return path
      },
      says: 'a newer version wrote it',
    },
    {
      name: 'a path below a file',
      prepare: (path) => {
        writeFileSync(path, '')
        chmodSync(path, 0o600)
        return join(path, 'outbox.db')
      },
      says: 'Cannot open the outbox',
    },
  ]
  const opened: Database[] = []
  afterAll(() => {
    for (const database of opened) database.close()
  })
  test.each(unopenable)('says clearly that it cannot open $name', async ({ prepare, says }) => {
    const path = await prepare(newPath())
    expect(() => openSqliteOutbox({ path })).toThrow(`Cannot open the outbox ${path}: `)
    expect(() => openSqliteOutbox({ path })).toThrow(says)
  })
})

/** Leaves a file with entries and an empty log. */
async function fill(path: string): Promise<void> {
  await openSqliteOutbox({ path }).close()
  const database = new Database(path)
  database.run(`INSERT INTO entries (id, state, draft, intended_at_ms)
    SELECT key, 'parked', hex(randomblob(200)), 1 FROM json_each('[${'0,'.repeat(199)}0]')`)
  database.run('PRAGMA wal_checkpoint(TRUNCATE)')
  database.close()
}
