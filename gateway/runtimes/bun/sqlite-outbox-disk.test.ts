import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { commitOrder, DRAFT } from '../../../tests/support/outbox-conformance.ts'
import { startOutboxPeer } from '../../../tests/support/outbox-peer.ts'
import { mountSmallDisk } from '../../../tests/support/small-disk.ts'
import { openSqliteOutbox } from './sqlite-outbox.ts'

const disk = mountSmallDisk(1_048_576)
const onFullDisk = 'refuses every write on a full disk, loses nothing, and works on when there is room'
/** Lifts the limit of a running process. */
const canLift = Bun.which('prlimit') !== null

describe('The SQLite outbox', () => {
  let directory = ''
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-disk-'))
  })
  afterAll(() => {
    rmSync(directory, { recursive: true })
    disk?.remove()
  })

  test.if(canLift)(
    'refuses what a failing disk does not take, keeps the rest, and works on when it is mended',
    async () => {
      const peer = await startOutboxPeer(join(directory, 'outbox.db'), { largestFile: 262_144 })
      const stored = Number(await peer.call('orders', 'order', ['a', 'b', 'c', 'd'], 50))
      expect(stored).toBeGreaterThan(0)
      expect(stored).toBeLessThan(200)
      expect(await peer.call('intend', 'refused', DRAFT, 1)).toEqual({ error: 'disk I/O error' })
      expect(await peer.call('counts')).toMatchObject({ committed: stored })

      spawnSync('prlimit', ['--pid', String(peer.pid), '--fsize=unlimited'])
      expect(await peer.call('orders', 'later', ['a', 'b'], 50)).toBe(100)
      expect(await peer.call('intend', 'refused', DRAFT, 1)).toBeNull()
      expect(await peer.call('counts')).toMatchObject({ committed: stored + 100, pending: expect.any(Number) })
      await peer.kill()
    },
  )

  test.if(disk !== undefined)(disk ? onFullDisk : `${onFullDisk} (LEFT OUT: no disk can be mounted here)`, async () => {
    const outbox = openSqliteOutbox({ path: join(disk?.folder ?? '', 'outbox.db') })
    await commitOrder(outbox, 'a', 'a')
    await outbox.intend('b', DRAFT, 1)
    disk?.fill()
    let refused = ''
    let stored = 0
    while (refused === '') {
      await outbox.intend(`filler-${stored}`, DRAFT, 1).then(
        () => stored++,
        (error: Error) => {
          refused = error.message
        },
      )
    }
    expect(refused).toBe('database or disk is full')
    await expect(outbox.commit('b', { ...ORDER_B, committedAtMs: 1 })).rejects.toThrow('full')
    expect((await outbox.due(10, new Set())).map(({ id }) => id)).toEqual(['a'])
    expect(await outbox.counts()).toMatchObject({ committed: 1, pending: stored + 1 })

    disk?.makeRoom()
    await outbox.commit('b', { ...ORDER_B, committedAtMs: 1 })
    await outbox.delivered('a', 1)
    expect(await outbox.counts()).toMatchObject({ committed: 1, pending: stored })
    await outbox.close()
  })
})

const ORDER_B = {
  event: { id: 'event-b', source: '/gateway', type: 'order.placed', time: '2026-01-02T03:04:05Z', data: {} },
  address: { exchange: 'shop.events', routingKey: 'order.placed' },
}
