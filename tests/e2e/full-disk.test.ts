import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RunningGateway, startGateway } from '../../gateway/runtimes/bun/start.ts'
import { until } from '../support/real-time.ts'
import { recordTelemetry } from '../support/recorded-telemetry.ts'
import { mountSmallDisk } from '../support/small-disk.ts'

const disk = mountSmallDisk(2_097_152)
const title = 'A gateway whose outbox is on a full disk'

describe.skipIf(!disk)(disk ? title : `${title} (LEFT OUT: no disk can be mounted here)`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-full-disk-'))
  let gateway: RunningGateway
  let orders: ReturnType<typeof startOrders>
  let taken = 0

  /** An order service that counts what it was asked to do. */
  function startOrders() {
    return Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: ({ method }) =>
        method === 'POST' ? Response.json({ id: `order-${++taken}` }, { status: 201 }) : new Response('read'),
    })
  }

  beforeAll(async () => {
    orders = startOrders()
    const config = join(folder, 'gateway.yaml')
    writeFileSync(
      config,
      `version: 1
server: { port: 0, admin: { port: 0 } }
services: { broker: "amqp://guest:guest@127.0.0.1:1", outbox: "sqlite:${disk?.folder}/outbox.db" }
upstreams: { orders: { url: "http://127.0.0.1:${orders.port}" } }
routes:
  place-order:
    path: /orders
    methods: [POST]
    policies:
      - publish: { type: order.placed, exchange: full-disk, subject: "{response.body.id}", data: "{response.body}" }
    upstream: orders
  read-order: { path: "/orders/:id", methods: [GET], upstream: orders }
`,
    )
    gateway = await startGateway({ config, log: recordTelemetry().log })
  })
  afterAll(async () => {
    await gateway?.stop()
    await orders?.stop(true)
    rmSync(folder, { recursive: true })
    disk?.remove()
  })

  const place = async () => {
    const response = await fetch(`${gateway.url}/orders`, { method: 'POST', body: '{}' })
    await response.text()
    return { status: response.status, retryAfter: response.headers.get('retry-after') }
  }
  const waiting = async () => {
    const ready = (await (await fetch(`${gateway.adminUrl}/_sluice/ready`)).json()) as {
      dependencies: { name: string; detail?: string }[]
    }
    return ready.dependencies.find(({ name }) => name === 'outbox')?.detail
  }

  test('refuses orders without asking the upstream, reads on, loses nothing, and takes orders again when there is room (EV-11)', async () => {
    expect(await place()).toEqual({ status: 201, retryAfter: null })
    disk?.fill()
    let answer = await place()
    for (let tries = 0; answer.status === 201 && tries < 2_000; tries++) answer = await place()
    expect(answer).toEqual({ status: 503, retryAfter: '5' })
    const before = taken
    for (let i = 0; i < 10; i++) expect((await place()).status).toBe(503)
    expect(taken).toBe(before)
    expect(await (await fetch(`${gateway.url}/orders/1`)).text()).toBe('read')

    disk?.makeRoom()
    expect((await place()).status).toBe(201)
    // Every order that was taken has its event, the one included whose outcome came when there was no room for it.
    await until(
      'an event for every order',
      async () => (await waiting()) === `${taken} waiting, 0 unknown, 0 parked`,
      15_000,
    )
  }, 60_000)
})
