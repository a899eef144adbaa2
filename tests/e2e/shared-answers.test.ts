import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openScene, type Scene, simpleConfig } from './scene.ts'

/** Gateways of one machine that keep idempotency records in one SQLite file. */
const scenes: Scene[] = []
let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-answers-'))
})

afterEach(async () => {
  for (const scene of scenes.splice(0)) await scene.close()
  rmSync(folder, { recursive: true })
})

async function gateway(): Promise<Scene> {
  const services = { store: `sqlite:${join(folder, 'store.db')}`, broker: 'embedded:?file=memory', outbox: 'memory:' }
  const scene = await openScene({
    config: (upstream) => ({
      ...simpleConfig(upstream, { route: { policies: [{ idempotency: { required: true } }] } }),
      services,
    }),
  })
  scenes.push(scene)
  return scene
}

const order = (scene: Scene) =>
  fetch(`${scene.url}/orders`, { method: 'POST', headers: { 'idempotency-key': 'k' }, body: '{"sku":"a"}' })

describe('a store in an SQLite file', () => {
  test('gives one order to fifty equal requests at once, sent to two gateways (EV-26)', async () => {
    const [one, other] = [await gateway(), await gateway()]
    const all = await Promise.all(Array.from({ length: 50 }, (_, i) => order(i % 2 === 0 ? one : other)))
    const ran = all.filter(({ status, headers }) => status === 200 && !headers.has('idempotent-replayed'))
    const repeated = all.filter(({ status, headers }) => status === 409 || headers.has('idempotent-replayed'))
    expect([ran.length, repeated.length]).toEqual([1, 49])
    expect(one.upstream.requests.length + other.upstream.requests.length).toBe(1)
    const again = await order(other)
    expect([again.status, again.headers.get('idempotent-replayed'), await again.text()]).toEqual([200, 'true', 'ok'])
  })

  test('repeats an answer after a restart, and is told of in readiness', async () => {
    const before = await gateway()
    expect((await order(before)).headers.has('idempotent-replayed')).toBe(false)
    const ready = await fetch(`${before.adminUrl}/_sluice/ready`)
    expect(await ready.json()).toMatchObject({ dependencies: [{ name: 'store', ok: true }] })
    for (const scene of scenes.splice(0)) await scene.close()
    const after = await gateway()
    expect((await order(after)).headers.get('idempotent-replayed')).toBe('true')
  })
})
