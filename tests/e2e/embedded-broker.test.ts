import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AMQPClient } from '@cloudamqp/amqp-client'
import { type RunningGateway, startGateway } from '../../gateway/runtimes/bun/start.ts'
import { recordTelemetry } from '../support/recorded-telemetry.ts'

/** A gateway whose broker is its own, with a file, as it is when nothing is installed. */
const folder = mkdtempSync(join(tmpdir(), 'sluice-embedded-'))
const brokerFile = join(folder, 'broker.db')
let orders: ReturnType<typeof Bun.serve>

beforeAll(() => {
  orders = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => Response.json({ id: 'o-1' }, { status: 201 }) })
})
afterAll(async () => {
  await orders.stop(true)
  rmSync(folder, { recursive: true })
})

function start(name: string): Promise<RunningGateway> {
  const config = join(folder, `${name}.yaml`)
  writeFileSync(
    config,
    `version: 1
server: { port: 0, admin: { port: 0 } }
services: { broker: "embedded:?file=${brokerFile}", outbox: "sqlite:${join(folder, `${name}-outbox.db`)}" }
upstreams: { orders: { url: "http://127.0.0.1:${orders.port}" } }
routes:
  place-order:
    path: /orders
    methods: [POST]
    policies:
      - publish: { type: order.placed, exchange: shop.events, data: "{response.body}" }
    upstream: orders
`,
  )
  return startGateway({ config, log: recordTelemetry().log })
}

async function withChannel<Result>(
  { brokerUrl }: RunningGateway,
  use: (channel: Awaited<ReturnType<AMQPClient['channel']>>) => Promise<Result>,
): Promise<Result> {
  const client = new AMQPClient(brokerUrl ?? '')
  await client.connect()
  try {
    return await use(await client.channel())
  } finally {
    await client.close()
  }
}

async function admin({ adminUrl }: RunningGateway, page: string): Promise<string> {
  return (await fetch(`${adminUrl}/_sluice/${page}`)).text()
}

describe('the embedded broker of a gateway', () => {
  test('hands out after a restart what nobody had consumed, and shows operators what it holds', async () => {
    const first = await start('gateway')
    await withChannel(first, async (channel) => {
      await channel.exchangeDeclare('shop.events', 'topic', { durable: true })
      await channel.queueDeclare('all', { durable: true })
      await channel.queueBind('all', 'shop.events', '#')
    })
    const response = await fetch(`${first.url}/orders`, { method: 'POST', body: '{}' })
    expect(response.status).toBe(201)
    await first.stop()

    const second = await start('gateway')
    const metrics = await admin(second, 'metrics')
    expect(metrics).toContain('sluice_broker_messages_ready 1\n')
    expect(metrics).toContain('sluice_broker_messages_unsettled 0\n')
    expect(metrics).toMatch(/sluice_broker_file_bytes [1-9]\d{4,}\n/)
    const got = await withChannel(second, (channel) => channel.basicGet('all', { noAck: true }))
    expect([got?.bodyString(), got?.redelivered]).toEqual(['{"id":"o-1"}', false])
    expect(await admin(second, 'ready')).toContain('"0 ready, 0 unsettled"')
    await second.stop()
  })

  test('is not started twice on one file: the second gateway says what to do', async () => {
    const first = await start('first')
    const refusal = await start('second').then(
      () => 'started',
      (error: Error) => error.message,
    )
    expect(refusal).toBe(
      `Cannot use the embedded broker's file ${brokerFile}: another process uses it: is this gateway running already? If not, give each gateway a file of its own (services.broker: "embedded:?file=…"), or start one with "embedded:5673" and let the others use its broker (services.broker: "amqp://guest:guest@127.0.0.1:5673")`,
    )
    await first.stop()
    await (await start('second')).stop()
  })
})
