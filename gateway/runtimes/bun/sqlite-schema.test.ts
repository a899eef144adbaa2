import { Database } from 'bun:sqlite'
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ADDRESS, commitOrder, DRAFT, orderPlaced } from '../../../tests/support/outbox-conformance.ts'
import { LEFT_WITHOUT_OUTCOME } from '../../events/outbox.ts'
import { openSqliteOutbox } from './sqlite-outbox.ts'

/** What the first version wrote into an empty file, as it stood then. */
const VERSION_1 = `
  CREATE TABLE entries (
    id              TEXT NOT NULL PRIMARY KEY,
    state           TEXT NOT NULL CHECK (state IN ('pending', 'committed', 'unknown', 'parked')),
    draft           TEXT NOT NULL,
    intended_at_ms  INTEGER NOT NULL,
    reason          TEXT,
    event           TEXT,
    exchange        TEXT,
    routing_key     TEXT,
    subject         TEXT,
    committed_at_ms INTEGER,
    sequence        INTEGER,
    head            INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX entries_by_state ON entries (state, intended_at_ms);
  CREATE INDEX entries_due ON entries (sequence) WHERE head = 1;
  CREATE INDEX entries_by_subject ON entries (subject, sequence) WHERE state = 'committed';
  PRAGMA user_version = 1;
`

describe('An outbox file of the first version', () => {
  let directory = ''
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-schema-'))
  })
  afterAll(() => rmSync(directory, { recursive: true }))

  function writeFirstVersion(): string {
    const path = join(directory, `${crypto.randomUUID()}.db`)
    const file = new Database(path, { create: true })
    file.run('PRAGMA journal_mode = WAL')
    file.run(VERSION_1)
    const insert = file.prepare(
      `INSERT INTO entries (id, state, draft, intended_at_ms, reason, event, exchange, routing_key, subject,
         committed_at_ms, sequence, head) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    const draft = JSON.stringify(DRAFT)
    const address = [ADDRESS.exchange, ADDRESS.routingKey]
    const event = (id: string) => JSON.stringify(orderPlaced(`event-${id}`, 'a'))
    insert.run('open', 'pending', draft, 1, null, null, null, null, null, null, null, 0)
    insert.run('doubtful', 'unknown', draft, 2, 'timeout', null, null, null, null, null, null, 0)
    insert.run('a1', 'committed', draft, 3, null, event('a1'), ...address, 'a', 30, 7, 1)
    insert.run('a2', 'committed', draft, 4, null, event('a2'), ...address, 'a', 40, 8, 0)
    insert.run('p', 'parked', draft, 5, 'no queue', event('p'), ...address, 'a', 50, 6, 0)
    insert.finalize()
    file.close()
    return path
  }

  test('keeps every entry, in its order and with its reason', async () => {
    const path = writeFirstVersion()
    for (let opened = 0; opened < 2; opened++) {
      const outbox = openSqliteOutbox({ path, capacity: 6 })
      expect(await outbox.counts()).toEqual({
        pending: 0,
        committed: 2,
        unknown: 2,
        parked: 1,
        oldestCommittedAtMs: 30,
      })
      expect((await outbox.unsettled(10, 0)).map(({ id, reason }) => [id, reason])).toEqual([
        ['open', LEFT_WITHOUT_OUTCOME],
        ['doubtful', 'timeout'],
      ])
      expect(await outbox.due(10, new Set())).toEqual([
        { id: 'a1', event: orderPlaced('event-a1', 'a'), address: ADDRESS, committedAtMs: 30 },
      ])
      expect(await outbox.find('p')).toMatchObject({ state: 'parked', reason: 'no queue', attempts: 0 })
      await outbox.close()
    }
  })

  test('goes on counting where it stopped', async () => {
    const outbox = openSqliteOutbox({ path: writeFirstVersion(), capacity: 6 })
    await commitOrder(outbox, 'a3', 'a')
    await expect(outbox.intend('one too many', DRAFT, 1)).rejects.toThrow('holds 6 entries')
    await outbox.requeue('p', 1)
    const order: string[] = []
    for (let i = 0; i < 4; i++) {
      for (const { id } of await outbox.due(10, new Set())) {
        order.push(id)
        await outbox.delivered(id, 1)
      }
    }
    expect(order).toEqual(['a1', 'a2', 'a3', 'p'])
    await outbox.close()
  })
})
