import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RunningGateway, startGateway } from '../../gateway/runtimes/bun/start.ts'
import { type Consumer, createConsumer, createInbox, openDatabase } from '../../upstream-mocks/consumer/index.ts'
import { createOrders } from '../../upstream-mocks/orders/index.ts'
import { until } from '../support/real-time.ts'
import { recordTelemetry } from '../support/recorded-telemetry.ts'

/** The whole way of an order through gateway, order service of the shop, broker and a consumer of the kit. */

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const folder = mkdtempSync(join(tmpdir(), 'sluice-whole-way-'))
const orders = createOrders({ host: '127.0.0.1', port: 0 })
const telemetry = recordTelemetry()
const lines: { readonly message: string; readonly facts: Readonly<Record<string, unknown>> }[] = []
const write = (message: string, facts = {}) => void lines.push({ message, facts })
let isBroken = true
let gateway: RunningGateway
let consumer: Consumer

beforeAll(async () => {
  await orders.start()
  mkdirSync(join(folder, 'events'))
  const schema = 'order.placed.schema.json'
  copyFileSync(join(import.meta.dir, '../../config/events', schema), join(folder, 'events', schema))
  const publish = { type: 'order.placed', exchange: 'shop.events', subject: '{response.body.id}' }
  const config = join(folder, 'gateway.yaml')
  const file = {
    version: 1,
    server: { port: 0, admin: { port: 0 }, limits: { body: '1MiB' } },
    services: { broker: 'embedded:?file=memory', outbox: `sqlite:${folder}/outbox.db` },
    upstreams: { orders: { url: `http://127.0.0.1:${orders.port}` } },
    routes: { place: { path: '/orders', methods: ['POST'], policies: [{ publish }], upstream: 'orders' } },
  }
  writeFileSync(config, JSON.stringify(file))
  gateway = await startGateway({ config, log: telemetry.log })
  const inbox = createInbox({
    service: 'auditor',
    database: openDatabase(':memory:'),
    reactions: [
      {
        type: 'order.placed',
        apply() {
          if (isBroken) throw new Error('the shelf has fallen over')
          return []
        },
      },
    ],
    schemas: { mistakeIn: () => undefined },
    now: Date.now,
  })
  const log = { info: write, warn: write }
  consumer = createConsumer({ url: gateway.brokerUrl ?? '', inbox, log, retriesMs: [5], delaysMs: [20] })
  consumer.start()
  await until('the consumer', () => consumer.metrics.read('consumer_connected') === 1)
})
afterAll(async () => {
  await consumer?.stop()
  await gateway?.stop()
  await orders.stop()
  rmSync(folder, { recursive: true, force: true })
})

const place = (body: string, headers: Readonly<Record<string, string>> = {}) =>
  fetch(`${gateway.url}/orders`, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } })
const admin = async (path: string, init?: RequestInit) =>
  (await (await fetch(`${gateway.adminUrl}/_sluice/${path}`, init)).json()) as Record<string, unknown>
const deadLetters = async () => (await admin('dead-letters')).letters as { readonly id: string }[]
const counts = async () => (await admin('outbox')).counts
const NOTHING = { parked: 0, unknown: 0, committed: 0, pending: 0 }
const traceOf = (word: string) => lines.find(({ message }) => message === word)?.facts.traceId

describe('an order', () => {
  test('is one trace: from its client to the consumer, into a dead letter, and through its replay', async () => {
    const traceparent = `00-${TRACE}-00f067aa0ba902b7-01`
    const answer = await place(JSON.stringify({ items: [{ sku: 'MUG-001', quantity: 1 }] }), { traceparent })
    expect(answer.status).toBe(201)
    await until('a dead letter', async () => (await deadLetters()).length === 1)
    expect(traceOf('Gave up on a message')).toBe(TRACE)
    const [letter] = await deadLetters()
    expect(letter).toMatchObject({ traceparent: expect.stringContaining(`00-${TRACE}-`), attempts: 4 })
    expect(telemetry.lines.find(({ message }) => message === 'request')?.facts.trace).toBe(TRACE)

    isBroken = false
    const headers = { 'content-type': 'application/json' }
    await admin('dead-letters/replay', { method: 'POST', headers, body: JSON.stringify({ id: letter?.id }) })
    await until('the effect', () => lines.some(({ message }) => message === 'Handled an event'))
    expect(traceOf('Handled an event')).toBe(TRACE)
    expect(await deadLetters()).toEqual([])
  })

  test.each([
    { name: 'NaN', body: '{"items":[{"sku":"MUG-001","quantity":NaN}]}', status: 400 },
    { name: 'a negative quantity', body: '{"items":[{"sku":"MUG-001","quantity":-1}]}', status: 400 },
    { name: 'a quantity of 1e400', body: '{"items":[{"sku":"MUG-001","quantity":1e400}]}', status: 400 },
    { name: 'half a document', body: '{"items":[{"sku":', status: 400 },
    { name: 'an array', body: '[]', status: 400 },
    { name: 'nothing', body: '', status: 400 },
    { name: 'more than a megabyte', body: `{"note":"${'x'.repeat(1_100_000)}"}`, status: 413 },
    { name: 'more than the service takes', body: `{"note":"${'x'.repeat(100_000)}"}`, status: 413 },
  ])('that is not valid is refused and leaves nothing in the outbox: $name (EV-28)', async ({ body, status }) => {
    const published = (text: string) => /^sluice_events_published_total (\d+)$/m.exec(text)?.[1]
    const metrics = async () => await (await fetch(`${gateway.adminUrl}/_sluice/metrics`)).text()
    const before = published(await metrics())
    expect((await place(body)).status).toBe(status)
    expect(await counts()).toEqual(NOTHING)
    expect(published(await metrics())).toBe(before)
  })
})
