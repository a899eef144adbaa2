import { Database } from 'bun:sqlite'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Peer, startPeer } from '../../../tests/support/peer.ts'
import { until } from '../../../tests/support/real-time.ts'
import { sagaOf } from '../../../tests/support/saga-conformance.ts'
import { createVirtualClock } from '../../../tests/support/virtual-clock.ts'
import { SagaGoneError, type SagaStorage } from '../../saga/saga-storage.ts'
import { identifyProcess } from './process-identity.ts'
import { openSqliteSagas } from './sqlite-sagas.ts'

const SCRIPT = join(import.meta.dir, '../../../tests/support/saga-peer-process.ts')
/** Elsewhere the end of a process is seen by its silence only. */
const seesEnds = identifyProcess() !== ''

describe('One journal of several processes', () => {
  let directory = ''
  const peers: Peer[] = []
  const journals: SagaStorage[] = []
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-journals-'))
  })
  afterEach(async () => {
    await Promise.all(peers.splice(0).map((peer) => peer.kill()))
    await Promise.all(journals.splice(0).map((sagas) => sagas.close()))
  })
  afterAll(() => rmSync(directory, { recursive: true }))

  const newPath = () => join(directory, `${crypto.randomUUID()}.db`)
  async function start(path: string): Promise<Peer> {
    const peer = await startPeer({ script: [SCRIPT, path] })
    peers.push(peer)
    return peer
  }
  /** A journal of this process, on a clock of its own. */
  function open(path: string) {
    const clock = createVirtualClock()
    const sagas = openSqliteSagas({ path, clock })
    journals.push(sagas)
    const claimed = async () => (await sagas.claim(100, 1_000)).map(({ id }) => id)
    return { sagas, clock, claimed }
  }

  test('can be made by all of them at once', async () => {
    const path = newPath()
    const started = await Promise.all([1, 2, 3, 4].map(() => start(path)))
    expect(await Promise.all(started.map((peer) => peer.call('counts')))).toEqual(
      started.map(() => ({ open: 0, undoing: 0, parked: 0 })),
    )
  })

  test.if(seesEnds)('gives what is to be undone to one of those that ask at once', async () => {
    const path = newPath()
    const gone = await start(path)
    for (let i = 0; i < 40; i++) await gone.call('add', sagaOf(`saga-${i}`, { state: 'undoing' }))
    await gone.kill()
    const living = await Promise.all([1, 2, 3].map(() => start(path)))
    const claims = (await Promise.all(living.map((peer) => peer.call('claim', 100, 1_000)))) as { id: string }[][]
    const ids = claims.flat().map(({ id }) => id)
    expect(ids).toHaveLength(40)
    expect(new Set(ids).size).toBe(40)
  })

  test.if(seesEnds)('leaves to a living process what it has, and takes what a killed one had', async () => {
    const path = newPath()
    const [killed, living] = [await start(path), await start(path)]
    await killed.call('add', sagaOf('open of the killed'))
    await killed.call('add', sagaOf('undone by the killed', { state: 'undoing' }))
    await living.call('add', sagaOf('open of the living'))
    await living.call('add', sagaOf('undone by the living', { state: 'undoing' }))
    const { claimed, clock, sagas } = open(path)
    await clock.advance(4_000)
    expect(await claimed()).toEqual([])
    expect(await sagas.counts()).toEqual({ open: 2, undoing: 2, parked: 0 })

    await killed.kill()
    await clock.advance(2_000)
    expect(await claimed()).toEqual(['open of the killed', 'undone by the killed'])
    expect(await sagas.counts()).toEqual({ open: 1, undoing: 3, parked: 0 })
    await expect(sagas.change('undone by the living', (entry) => entry)).rejects.toBeInstanceOf(SagaGoneError)
    expect(await living.call('change', 'open of the living', { state: 'done' })).toBeNull()
  })

  test('takes what a process had that is silent for ten seconds, and keeps it when that one speaks again', async () => {
    const path = newPath()
    const peer = await start(path)
    await peer.call('add', sagaOf('taken'))
    await peer.call('add', sagaOf('not taken', { beganAtMs: 20 }))
    peer.signal('SIGSTOP')
    const { clock, sagas } = open(path)
    await clock.advance(8_000)
    expect(await sagas.claim(1, 1_000)).toEqual([])
    await clock.advance(4_000)
    expect((await sagas.claim(1, 1_000)).map(({ id }) => id)).toEqual(['taken'])

    peer.signal('SIGCONT')
    const gone = { error: 'There is no saga "taken" that this process has' }
    expect(await peer.call('change', 'taken', { state: 'done' })).toEqual(gone)
    expect(await sagas.find('taken')).toMatchObject({ state: 'undoing' })
    // What nobody has taken yet is still its own: its answer may go out.
    expect(await peer.call('change', 'not taken', { state: 'done' })).toBeNull()
    const file = new Database(path)
    await until('its next beat', () => file.query(`SELECT 1 FROM leases WHERE name GLOB 'owner*'`).all().length === 2)
    file.close()
    await peer.call('add', sagaOf('later'))
    await clock.advance(4_000)
    expect(await sagas.find('later')).toMatchObject({ state: 'open' })
  })

  test('takes nothing because a clock was set', async () => {
    const path = newPath()
    const peer = await start(path)
    await peer.call('add', sagaOf('a', { state: 'undoing' }))
    peer.signal('SIGSTOP')
    const { clock, claimed } = open(path)
    clock.jump(86_400_000)
    await clock.advance(4_000)
    clock.jump(-2 * 86_400_000)
    await clock.advance(4_000)
    expect(await claimed()).toEqual([])
  })

  test('lets one request of an identity write, whichever process it came to', async () => {
    const path = newPath()
    const started = await Promise.all([1, 2, 3].map(() => start(path)))
    const answers = await Promise.all(started.map((peer, i) => peer.call('add', sagaOf(`saga-${i}`, {}, 'trip'))))
    expect(answers.filter((answer) => answer === null)).toHaveLength(1)
    for (const answer of answers) {
      if (answer !== null)
        expect(answer).toEqual({ error: expect.stringContaining('Another request with the same key') })
    }
  })
})
