import { Database } from 'bun:sqlite'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DRAFT } from '../../../tests/support/outbox-conformance.ts'
import { type OutboxPeer, type OutboxPeerOptions, startOutboxPeer } from '../../../tests/support/outbox-peer.ts'
import { until } from '../../../tests/support/real-time.ts'
import { createVirtualClock } from '../../../tests/support/virtual-clock.ts'
import type { Outbox } from '../../events/outbox.ts'
import { identifyProcess } from './process-identity.ts'
import { openSqliteOutbox } from './sqlite-outbox.ts'

/** Elsewhere the end of a process is seen by its silence only. */
const seesEnds = identifyProcess() !== ''

describe('One outbox file of several processes', () => {
  let directory = ''
  const peers: OutboxPeer[] = []
  const outboxes: Outbox[] = []
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-processes-'))
  })
  afterEach(async () => {
    await Promise.all(peers.splice(0).map((peer) => peer.kill()))
    await Promise.all(outboxes.splice(0).map((outbox) => outbox.close()))
  })
  afterAll(() => rmSync(directory, { recursive: true }))

  const newPath = () => join(directory, `${crypto.randomUUID()}.db`)

  async function startPeer(path: string, options?: OutboxPeerOptions): Promise<OutboxPeer> {
    const peer = await startOutboxPeer(path, options)
    peers.push(peer)
    return peer
  }
  /** An outbox of this process, on a clock of its own. */
  function open(path: string) {
    const clock = createVirtualClock()
    const outbox = openSqliteOutbox({ path, clock })
    outboxes.push(outbox)
    return { outbox, clock }
  }
  const idsOf = async (outbox: Outbox, state: 'pending' | 'unknown') =>
    (await outbox.list(state, 1_000)).map(({ id }) => id).sort()

  test('can be made by all of them at once', async () => {
    const path = newPath()
    const started = await Promise.all([1, 2, 3, 4].map(() => startPeer(path)))
    expect(await Promise.all(started.map((peer) => peer.call('counts')))).toEqual(
      started.map(() => ({ pending: 0, committed: 0, unknown: 0, parked: 0 })),
    )
  })

  test('gives every event its own place, and keeps the order of each subject', async () => {
    const path = newPath()
    const writers = await Promise.all(['p', 'q', 'r'].map(async (name) => ({ name, peer: await startPeer(path) })))
    const subjects = ['a', 'b', 'c', 'd']
    const stored = await Promise.all(writers.map(({ name, peer }) => peer.call('orders', name, subjects, 25)))
    expect(stored).toEqual([100, 100, 100])

    const file = new Database(path)
    const rows = file
      .query<{ id: string; subject: string; sequence: number }, []>('SELECT * FROM entries ORDER BY sequence')
      .all()
    expect(rows.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 300 }, (_, i) => i + 1))
    expect(file.query('SELECT size, sequence FROM totals').get()).toEqual({ size: 300, sequence: 300 })
    file.close()
    for (const { name } of writers) {
      for (const subject of subjects) {
        const ids = rows.map(({ id }) => id).filter((id) => id.startsWith(`${name}-${subject}-`))
        expect(ids).toEqual(Array.from({ length: 25 }, (_, i) => `${name}-${subject}-${i}`))
      }
    }
    const { outbox } = open(path)
    expect(await outbox.due(100, new Set())).toHaveLength(4)
  })

  test('holds no more entries than its capacity, whoever writes them', async () => {
    const path = newPath()
    const writers = await Promise.all(
      ['p', 'q', 'r'].map(async (name) => ({ name, peer: await startPeer(path, { capacity: 50 }) })),
    )
    const stored = await Promise.all(writers.map(({ name, peer }) => peer.call('orders', name, ['a', 'b'], 20)))
    expect(stored.map(Number).reduce((a, b) => a + b, 0)).toBe(50)
    expect(await open(path).outbox.counts()).toMatchObject({ committed: 50 })
  })

  test.if(seesEnds)('leaves to a living process what it has under way, and knows at once when it is gone', async () => {
    const path = newPath()
    const [killed, living] = [await startPeer(path), await startPeer(path)]
    await killed.call('intend', 'of the killed', DRAFT, 1)
    await living.call('intend', 'of the living', DRAFT, 1)
    const { outbox, clock } = open(path)
    await clock.advance(4_000)
    expect(await idsOf(outbox, 'pending')).toEqual(['of the killed', 'of the living'])

    await killed.kill()
    await clock.advance(2_000)
    expect(await idsOf(outbox, 'unknown')).toEqual(['of the killed'])
    expect(await idsOf(outbox, 'pending')).toEqual(['of the living'])
    const { outbox: opened } = open(path)
    expect(await idsOf(opened, 'unknown')).toEqual(['of the killed'])
    expect(await living.call('reject', 'of the living')).toBeNull()
  })

  test('takes a process for gone that is silent for ten seconds, and lets it finish when it speaks again', async () => {
    const path = newPath()
    const peer = await startPeer(path)
    await peer.call('intend', 'a', DRAFT, 1)
    peer.signal('SIGSTOP')
    const { outbox, clock } = open(path)
    await clock.advance(8_000)
    expect(await idsOf(outbox, 'pending')).toEqual(['a'])
    await clock.advance(4_000)
    expect(await idsOf(outbox, 'unknown')).toEqual(['a'])
    peer.signal('SIGCONT')
    expect(await peer.call('reject', 'a')).toBeNull()
    const file = new Database(path)
    await until('its next beat', () => file.query(`SELECT 1 FROM leases WHERE name GLOB 'owner*'`).all().length === 2)
    file.close()
    await peer.call('intend', 'b', DRAFT, 1)
    await clock.advance(4_000)
    expect(await idsOf(outbox, 'pending')).toEqual(['b'])
  })

  test('takes no process for gone because a clock was set', async () => {
    const path = newPath()
    const peer = await startPeer(path)
    await peer.call('intend', 'a', DRAFT, 1)
    peer.signal('SIGSTOP')
    const { outbox, clock } = open(path)
    clock.jump(86_400_000)
    await clock.advance(4_000)
    clock.jump(-2 * 86_400_000)
    await clock.advance(4_000)
    expect(await idsOf(outbox, 'pending')).toEqual(['a'])
  })

  test('hands the lease on at once when its holder gave it up, or after its time when it is silent', async () => {
    const path = newPath()
    const peer = await startPeer(path)
    const { outbox, clock } = open(path)
    const acquire = () => outbox.acquireLease('ours', 5_000, clock.monotonic())
    expect(await peer.call('acquireLease', 'theirs', 5_000, 1)).toBe(true)
    expect(await acquire()).toBe(false)
    await peer.call('releaseLease', 'theirs')
    expect(await acquire()).toBe(true)
    expect(await peer.call('acquireLease', 'theirs', 5_000, 1e9)).toBe(false)
    await outbox.releaseLease('ours')

    expect(await peer.call('acquireLease', 'theirs', 5_000, 2e9)).toBe(true)
    peer.signal('SIGSTOP')
    expect(await acquire()).toBe(false)
    await clock.advance(4_999)
    expect(await acquire()).toBe(false)
    await clock.advance(1)
    expect(await acquire()).toBe(true)
    peer.signal('SIGCONT')
    expect(await peer.call('acquireLease', 'theirs', 5_000, 3e9)).toBe(false)
  })

  test.if(seesEnds)('hands the lease on at once when its holder was killed', async () => {
    const path = newPath()
    const peer = await startPeer(path)
    const { outbox, clock } = open(path)
    expect(await peer.call('acquireLease', 'theirs', 5_000, 1)).toBe(true)
    await peer.kill()
    expect(await outbox.acquireLease('ours', 5_000, clock.monotonic())).toBe(true)
  })

  test('waits without holding up anything else while another process writes, and not for ever', async () => {
    const path = newPath()
    const { outbox, clock } = open(path)
    const other = new Database(path)
    other.run('BEGIN IMMEDIATE')
    const results: string[] = []
    const intend = (id: string) =>
      outbox.intend(id, DRAFT, 1).then(
        () => results.push(`${id} stored`),
        (error: Error) => results.push(`${id} ${error.message}`),
      )
    void intend('a')
    void intend('b')
    await clock.advance(1_000)
    void intend('c')
    expect([results, await outbox.counts()]).toEqual([[], { pending: 0, committed: 0, unknown: 0, parked: 0 }])
    other.run('ROLLBACK')
    await clock.advance(10)
    expect(results).toEqual(['a stored', 'b stored', 'c stored'])

    other.run('BEGIN IMMEDIATE')
    void intend('d')
    await clock.advance(6_000)
    other.run('ROLLBACK')
    await intend('e')
    expect(results.slice(3)).toEqual(['d database is locked', 'e stored'])
    other.close()
  })
})
