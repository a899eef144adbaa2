import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AMQPClient } from '@cloudamqp/amqp-client'
import type { RunPlan } from './plan.ts'
import { type RunOptions, run } from './run.ts'
import type { Scene } from './scene.ts'

/** Before the checker is believed that nothing was lost, it has to find what was lost on purpose. */

const place = mkdtempSync(join(tmpdir(), 'sluice-sabotage-'))

const PLAN: RunPlan = {
  seed: 1,
  broker: 'embedded',
  faults: [],
  gateways: 1,
  orders: 80,
  customers: 6,
  subjectIsCustomer: true,
  observed: true,
  breaksNode: false,
}
/** What is lost does not come however long one waits; what is not lost may take its time on a busy machine. */
const LOST_AFTER_MS = 2_000
const COMES_WITHIN_MS = 20_000

interface Case {
  readonly name: string
  /** What is broken on purpose; without it the same fault has to do no harm. */
  readonly sabotage: NonNullable<RunOptions['sabotage']>
  readonly fault: (scene: Scene) => Promise<void>
  readonly finds: RegExp
}

const cases: readonly Case[] = [
  {
    name: 'a gateway that does not wait for confirms, when the line to the broker is cut',
    sabotage: { gateway: 'confirms-off' },
    async fault(scene) {
      await announced(scene, 5)
      scene.gatewayLine?.hold()
      await stored(scene, 40)
      scene.gatewayLine?.cut()
      scene.gatewayLine?.resume()
    },
    finds: /^order \S+ was stored and never announced$/,
  },
  {
    name: 'an outbox in memory, when the gateway is killed',
    sabotage: { memoryOutbox: true },
    async fault(scene) {
      await announced(scene, 5)
      scene.gatewayLine?.hold()
      await stored(scene, 40)
      for (const gateway of scene.gateways) gateway.signal('SIGKILL')
      scene.gatewayLine?.cut()
      scene.gatewayLine?.resume()
    },
    finds: /^order \S+ was stored and never announced$/,
  },
  {
    name: 'an outbox that does not sync its writes, when the power is cut',
    sabotage: { unsyncedOutbox: true },
    async fault(scene) {
      await announced(scene, 5)
      scene.gatewayLine?.hold()
      await stored(scene, 40)
      await scene.cutPower()
      scene.gatewayLine?.cut()
      scene.gatewayLine?.resume()
    },
    finds: /^order \S+ was stored and never announced$/,
  },
  {
    name: 'a consumer without an inbox, when the line breaks before confirms have come and events are sent again',
    sabotage: { noInbox: true },
    async fault(scene) {
      await announced(scene, 5)
      scene.gatewayLine?.holdReplies()
      await stored(scene, 40)
      scene.gatewayLine?.cut()
      scene.gatewayLine?.resume()
    },
    finds: /^order \S+ took effect \d+ times$/,
  },
]

const stored = (scene: Scene, count: number) => until(`${count} orders stored`, () => scene.storedOrders() >= count)
const announced = (scene: Scene, count: number) =>
  until(`${count} orders announced`, () => scene.announcedOrders() >= count)

async function until(what: string, isSo: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + 10_000
  while (!isSo()) {
    if (performance.now() > giveUpAt) throw new Error(`Not so after 10 s: ${what}`)
    await Bun.sleep(5)
  }
}

describe('the checker finds what is lost by', () => {
  afterAll(() => rmSync(place, { recursive: true, force: true }))

  const doing = (during: Case['fault'], sabotage: Case['sabotage'], settleWithinMs: number) =>
    run(PLAN, { place, name: 's', during, sabotage, settleWithinMs })

  test.each(cases)('$name', async ({ sabotage, fault, finds }) => {
    const { anomalies, stored } = await doing(fault, sabotage, LOST_AFTER_MS)
    expect(stored).toBe(PLAN.orders)
    expect(anomalies.filter((anomaly) => finds.test(anomaly))).not.toEqual([])
  })

  test.each(cases)('and nothing when it is not $name', async ({ fault }) => {
    const { anomalies, stored } = await doing(fault, {}, COMES_WITHIN_MS)
    expect(stored).toBe(PLAN.orders)
    expect(anomalies).toEqual([])
  })

  test('somebody who announces an order that does not exist', async () => {
    const { anomalies } = await doing(announceGhost, {}, LOST_AFTER_MS)
    expect(anomalies).toContain('order ghost was announced, and does not exist')
  })
})

async function announceGhost({ broker, names }: Scene): Promise<void> {
  const client = new AMQPClient(broker.url)
  await client.connect()
  const channel = await client.channel()
  await channel.confirmSelect()
  const data = { id: 'ghost', customer: 'nobody', items: [{ sku: 'MUG-001', quantity: 1 }], status: 'pending' }
  const at = new Date().toISOString()
  const headers = {
    cloudEvents_specversion: '1.0',
    cloudEvents_id: 'ghost-1',
    cloudEvents_type: 'order.placed',
    cloudEvents_source: '/nobody',
    cloudEvents_subject: 'nobody',
    cloudEvents_time: at,
  }
  const body = JSON.stringify({ ...data, createdAt: at, updatedAt: at })
  const properties = { contentType: 'application/json', deliveryMode: 2, headers }
  await channel.basicPublish(names.exchange, 'order.placed', body, properties)
  await client.close()
}
