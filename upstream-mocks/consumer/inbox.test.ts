import { describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createConsumer } from './consumer.ts'
import { openDatabase } from './database.ts'
import { createInbox, type Reaction } from './inbox.ts'

const DAY_MS = 86_400_000
const QUEUE = 'notes.note-taken'

const event = (id: string, source = '/test') => ({
  id,
  type: 'note.taken',
  source,
  subject: 'note-1',
  time: '2026-03-01T12:00:00.000Z',
  data: {},
})

/** An inbox over a table of its own, on a clock the test moves. */
function createNotes(options: { apply?: Reaction['apply']; keepMs?: number; wrong?: string } = {}) {
  const database = openDatabase(':memory:')
  database.run('CREATE TABLE notes (id TEXT)')
  const clock = { nowMs: 0 }
  const write = database.query('INSERT INTO notes VALUES (?)')
  const inbox = createInbox({
    service: 'notes',
    database,
    reactions: [
      {
        type: 'note.taken',
        apply(taken) {
          write.run(taken.id)
          return options.apply?.(taken) ?? [{ type: 'note.filed', data: {} }]
        },
      },
    ],
    schemas: { mistakeIn: (type) => (type === options.wrong ? 'wrong' : undefined) },
    now: () => clock.nowMs,
    ...(options.keepMs === undefined ? {} : { keepMs: options.keepMs }),
  })
  const notes = () =>
    database
      .query<{ id: string }, []>('SELECT id FROM notes')
      .all()
      .map(({ id }) => id)
  return { inbox, clock, notes }
}

test('a database is synced with each transaction: what was acknowledged survives a power loss', () => {
  const folder = mkdtempSync(join(tmpdir(), 'inbox-'))
  const database = openDatabase(join(folder, 'notes.db'))
  const settings = ['synchronous', 'journal_mode'].map(
    (name) => Object.values(database.query(`PRAGMA ${name}`).get() ?? {})[0],
  )
  expect(settings).toEqual([2, 'wal'])
  database.close()
  rmSync(folder, { recursive: true })
})

describe('an inbox', () => {
  test('lets an event take effect once for each source and id', () => {
    const { inbox, notes } = createNotes()
    expect(inbox.take(QUEUE, event('a'))).toBe('applied')
    expect(inbox.take(QUEUE, event('a'))).toBe('repeat')
    expect(inbox.take(QUEUE, event('a', '/other'))).toBe('applied')
    expect(notes()).toEqual(['a', 'a'])
    expect(inbox.outgoing.count()).toBe(2)
  })

  test('keeps nothing of an event whose handling fails, wherever it fails', () => {
    const failing = createNotes({
      apply: () => {
        throw new Error('broken')
      },
    })
    expect(() => failing.inbox.take(QUEUE, event('a'))).toThrow('broken')
    const wrong = createNotes({ wrong: 'note.filed' })
    expect(() => wrong.inbox.take(QUEUE, event('a'))).toThrow('The notes service made a wrong note.filed: wrong')
    for (const { inbox, notes } of [failing, wrong]) {
      expect(notes()).toEqual([])
      expect(inbox.outgoing.count()).toBe(0)
      expect(() => inbox.take(QUEUE, event('a'))).toThrow()
    }
  })

  test('purges what is older than 7 days, a bounded number at a time', () => {
    const { inbox, clock } = createNotes()
    for (const id of ['a', 'b', 'c']) inbox.take(QUEUE, event(id))
    clock.nowMs = 7 * DAY_MS
    inbox.take(QUEUE, event('young'))
    expect(inbox.purge(2)).toBe(0)
    clock.nowMs += 1
    expect(inbox.purge(2)).toBe(2)
    expect(inbox.purge(2)).toBe(1)
    expect(inbox.purge(2)).toBe(0)
    expect(inbox.take(QUEUE, event('young'))).toBe('repeat')
  })

  test('puts an event behind an earlier one of its subject until that is dealt with or overdue', () => {
    const { inbox, clock } = createNotes()
    inbox.deferred.note(QUEUE, event('first'), 1_000)
    expect(inbox.take(QUEUE, event('second'))).toBe('behind')
    inbox.deferred.note(QUEUE, event('second'), 1_000)
    expect(inbox.take('another.queue', event('elsewhere'))).toBe('applied')
    expect(inbox.take(QUEUE, event('third'))).toBe('behind')
    expect(inbox.take(QUEUE, event('first'))).toBe('applied')
    expect(inbox.take(QUEUE, event('third'))).toBe('behind')
    clock.nowMs = 1_000
    expect(inbox.take(QUEUE, event('third'))).toBe('applied')
  })
})

describe('a consumer', () => {
  const url = 'amqp://127.0.0.1:5672'

  test('does not start with an inbox that forgets too soon', () => {
    const { inbox } = createNotes({ keepMs: 2 * DAY_MS - 1 })
    expect(() => createConsumer({ url, inbox })).toThrow('keep it at least twice as long')
    expect(() => createConsumer({ url, inbox: createNotes({ keepMs: 2 * DAY_MS }).inbox })).not.toThrow()
  })

  test('counts its own retries as redelivery', () => {
    const { inbox } = createNotes({ keepMs: 1_000 })
    const patience = { horizonMs: 0, retriesMs: [100], delaysMs: [300] }
    expect(() => createConsumer({ url, inbox, ...patience })).not.toThrow()
    expect(() => createConsumer({ url, inbox, ...patience, delaysMs: [301] })).toThrow(RangeError)
  })

  test('is patient for 100 ms, 500 ms and 2 s in place, in each round of 10, 30 and 90 s, when nothing else is said', () => {
    const { inbox } = createNotes({ keepMs: 1 })
    const rounds = 10_000 + 30_000 + 90_000 + 4 * (100 + 500 + 2_000)
    expect(() => createConsumer({ url, inbox, horizonMs: 0 })).toThrow(`come again for ${rounds} ms`)
  })

  test('names no password when the URL is wrong', () => {
    const { inbox } = createNotes()
    const create = () => createConsumer({ url: 'http://user:secret@host', inbox })
    expect(create).toThrow('The broker URL is not valid')
    expect(create).not.toThrow('secret')
  })

  test('tells its numbers as Prometheus text', () => {
    const { metrics } = createConsumer({ url, inbox: createNotes().inbox })
    metrics.count('consumer_dead_letters_total', { queue: 'q', reason: 'not-json' })
    metrics.set('consumer_lag_seconds', 1.5, { queue: 'q' })
    const text = metrics.render()
    expect(text).toContain('# TYPE consumer_dead_letters_total counter\n')
    expect(text).toContain('consumer_dead_letters_total{service="notes",queue="q",reason="not-json"} 1\n')
    expect(text).toContain('# TYPE consumer_lag_seconds gauge\nconsumer_lag_seconds{service="notes",queue="q"} 1.5\n')
  })
})
