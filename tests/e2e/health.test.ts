import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RunningGateway, startGateway } from '../../gateway/runtimes/bun/start.ts'
import { until } from '../support/real-time.ts'
import { recordTelemetry } from '../support/recorded-telemetry.ts'

/** What health and readiness say while everything a gateway depends on is refused, or silent. */

/** A port where nobody listens, and one that takes connections and says nothing. */
const places = { refused: { port: 0 }, silent: { port: 0 } }
const sockets = new Set<Socket>()
let silent: Server
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-health-'))
  silent = createServer((socket) => {
    sockets.add(socket.on('error', () => {}))
  })
  places.silent.port = await listening(silent)
  const gone = createServer()
  places.refused.port = await listening(gone)
  await new Promise((closed) => gone.close(closed))
})
afterAll(async () => {
  for (const socket of sockets) socket.destroy()
  silent.close()
  await rm(folder, { recursive: true, force: true })
})

function listening(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { readonly port: number }).port))
  })
}

async function start(name: string, port: number): Promise<RunningGateway> {
  const config = join(folder, `${name}.yaml`)
  const publish = { type: 'order.placed', exchange: 'shop.events', settle: 'park' }
  const gateway = {
    version: 1,
    server: { grace: '100ms' },
    services: {
      store: `redis://127.0.0.1:${port}`,
      broker: `amqp://guest:guest@127.0.0.1:${port}`,
      outbox: `sqlite:${folder}/${name}.db`,
    },
    upstreams: { shop: { url: `http://127.0.0.1:${port}`, policies: [{ timeout: { after: '200ms' } }] } },
    routes: { orders: { path: '/orders', methods: ['POST'], policies: [{ publish }], upstream: 'shop' } },
  }
  await writeFile(config, JSON.stringify(gateway))
  return await startGateway({ config, port: 0, adminPort: 0, log: recordTelemetry().log })
}

describe('health (OPS-04)', () => {
  test.each([
    { name: 'refused', says: { store: /\w/, broker: /ECONNREFUSED|refused|Failed to connect/ }, status: 502 },
    { name: 'silent', says: { store: /\w/, broker: /\w/ }, status: 504 },
  ] as const)(
    'is 200 while store, broker and upstream are all $name; readiness is degraded, since orders are still taken',
    async ({ name, says, status }) => {
      const gateway = await start(name, places[name].port)
      const ask = (path: string) => fetch(`${gateway.adminUrl}/_sluice/${path}`)
      type Ready = {
        readonly status: string
        readonly dependencies: readonly { name: string; ok: boolean; required: boolean; detail?: string }[]
      }
      const ready = async () => (await (await ask('ready')).json()) as Ready
      expect([(await ask('health')).status, await (await ask('health')).json()]).toEqual([200, { status: 'ok' }])
      await until('the failures to be seen', async () => {
        const { dependencies } = await ready()
        return dependencies.filter(({ ok }) => !ok).length === 2
      })
      const { status: readiness, dependencies } = await ready()
      expect(dependencies.map(({ name, ok, required }) => [name, ok, required])).toEqual([
        ['store', false, false],
        ['broker', false, false],
        ['outbox', true, true],
      ])
      for (const { name, detail } of dependencies) {
        if (name === 'store' || name === 'broker') expect(detail).toMatch(says[name])
        expect(detail).not.toContain('guest:guest')
      }
      expect([readiness, (await ask('ready')).status]).toEqual(['degraded', 200])
      // The upstream fails: that is the answer to a client, and no reason to restart or to avoid this gateway.
      expect((await fetch(`${gateway.url}/orders`, { method: 'POST' })).status).toBe(status)
      expect([(await ask('health')).status, (await ask('ready')).status]).toEqual([200, 200])
      await gateway.stop()
    },
    30_000,
  )
})
