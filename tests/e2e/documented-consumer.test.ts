import { Database } from 'bun:sqlite'
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AMQPClient } from '@cloudamqp/amqp-client'
import { type EmbeddedBroker, startEmbeddedBroker } from '../../gateway/runtimes/bun/embedded-broker.ts'
import { toMessage } from '../../upstream-mocks/consumer/cloud-event.ts'
import { realClock, until } from '../support/real-time.ts'
import { recordTelemetry } from '../support/recorded-telemetry.ts'

/** The service of the consumer kit's README, put beside the kit as it says, and run against the demo's events. */

const ROOT = join(import.meta.dir, '../..')
const readme = readFileSync(join(ROOT, 'upstream-mocks/consumer/README.md'), 'utf8')
const [, source = ''] = /^```ts\n(\/\/ shipping\.ts\n[\s\S]*?)^```$/m.exec(readme) ?? []

/** Inside the repository, so that packages are found; Git does not see it. */
mkdirSync(join(ROOT, '.test'), { recursive: true })
const scene = mkdtempSync(join(ROOT, '.test/consumer-'))
symlinkSync(join(ROOT, 'upstream-mocks/consumer'), join(scene, 'consumer'))
symlinkSync(join(ROOT, 'config'), join(scene, 'config'))
symlinkSync(join(ROOT, 'tsconfig.json'), join(scene, 'tsconfig.json'))
writeFileSync(join(scene, 'shipping.ts'), source)

let broker: EmbeddedBroker
beforeAll(async () => {
  broker = await startEmbeddedBroker({ clock: realClock, log: recordTelemetry().log })
})
afterAll(async () => {
  await broker.stop()
  rmSync(scene, { recursive: true, force: true })
})

async function announce(orderId: string, times: number): Promise<void> {
  const client = await new AMQPClient(broker.url).connect()
  const channel = await client.channel()
  await channel.confirmSelect()
  const event = {
    id: `event-${orderId}`,
    type: 'order.confirmed',
    source: '/shop/orders',
    subject: orderId,
    time: '2026-01-01T00:00:00.000Z',
    data: { orderId, customer: 'user-alice' },
  }
  const { body, properties } = toMessage(event)
  for (let i = 0; i < times; i++) await channel.basicPublish('shop.events', event.type, body, properties, true)
  await client.close()
}

function parcels(): unknown[] {
  const database = new Database(join(scene, '.data/shipping.db'), { readonly: true })
  try {
    return database.query('SELECT order_id FROM parcels').values().flat()
  } finally {
    database.close()
  }
}

describe("the service of the consumer kit's README", () => {
  test('takes each event once, and stops cleanly', async () => {
    const service = Bun.spawn([process.execPath, 'shipping.ts'], {
      cwd: scene,
      env: { ...process.env, AMQP_URL: broker.url, PORT: '0' },
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const output: string[] = []
    const reading = (async () => {
      const decoder = new TextDecoder()
      for await (const chunk of service.stdout) output.push(decoder.decode(chunk))
    })()
    try {
      await until('the connection', () => output.join('').includes('Connected to the broker'), 15_000)
      await announce('O-1', 2)
      await announce('O-2', 1)
      await until('the parcels', () => parcels().length === 2)
      expect(parcels()).toEqual(['O-1', 'O-2'])
      await until('an empty queue', () => broker.stats().ready + broker.stats().unsettled === 0)
    } finally {
      service.kill('SIGTERM')
    }
    expect(await service.exited).toBe(0)
    await reading
    expect(output.join('')).not.toContain('"warn"')
  }, 30_000)

  test('has right types', async () => {
    const settings = {
      extends: './tsconfig.json',
      compilerOptions: { typeRoots: [join(ROOT, 'node_modules/@types')] },
      include: [],
      files: ['shipping.ts'],
    }
    writeFileSync(join(scene, 'tsconfig.sample.json'), JSON.stringify(settings))
    const tsc = [join(ROOT, 'node_modules/.bin/tsc'), '-p', 'tsconfig.sample.json']
    const child = Bun.spawn(tsc, { cwd: scene, stdout: 'pipe', stderr: 'pipe' })
    expect(await new Response(child.stdout).text()).toBe('')
    expect(await child.exited).toBe(0)
  }, 60_000)
})
