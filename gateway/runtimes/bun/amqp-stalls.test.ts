import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { orderPlaced } from '../../../tests/support/outbox-conformance.ts'
import { realClock, until } from '../../../tests/support/real-time.ts'
import { recordTelemetry } from '../../../tests/support/recorded-telemetry.ts'
import {
  type ScriptedBroker,
  type Stage,
  type Stall,
  startScriptedBroker,
} from '../../../tests/support/scripted-broker.ts'
import type { Clock } from '../../core/clock.ts'
import { planTopology, type Topology } from '../../core/topology.ts'
import { createAmqpPublisher } from '../../events/amqp-publisher.ts'
import type { Publisher } from '../../events/publisher.ts'

/** The ten seconds that a broker has to answer, and the one to say goodbye, are a hundredth and a twentieth of that here. */
const hurried: Clock = {
  ...realClock,
  after: (delayMs, task) => realClock.after(delayMs === 10_000 ? 100 : delayMs === 1_000 ? 50 : delayMs, task),
}
const topology = planTopology({
  exchanges: ['shop'],
  queues: [{ name: 'shop.placed', exchange: 'shop', bind: ['order.placed'], deliveryLimit: 10, retryMs: [] }],
  published: [],
  others: [],
})
const stalls: readonly Stall[] = [
  'says nothing more',
  'sends heartbeats and nothing else',
  'hangs up',
  'closes the connection',
]
const toConnect: readonly Stage[] = ['protocol-header', 'connection.start-ok', 'connection.tune-ok', 'connection.open']
const toPublish: readonly Stage[] = ['channel.open', 'exchange.declare', 'confirm.select']
const toDeclare: readonly Stage[] = ['channel.open', 'exchange.declare', 'queue.declare', 'queue.bind']

const cross = (stages: readonly Stage[], declared: Topology) =>
  stages.flatMap((stage) => stalls.map((how) => ({ stage, how, declared })))
/** A broker that lives and has not confirmed is not left: one queue may be slow, and others are not. */
const ofMessages = cross(['basic.publish'], []).filter(({ how }) => how !== 'sends heartbeats and nothing else')
const cases = [...cross([...toConnect, ...toPublish], []), ...ofMessages, ...cross(toDeclare, topology)].map(
  (each) => ({
    ...each,
    what: each.declared.length > 0 ? 'a topology' : 'no topology',
  }),
)

describe('A broker that stalls', () => {
  let broker: ScriptedBroker
  let publisher: Publisher

  beforeEach(async () => {
    broker = await startScriptedBroker()
    broker.ackAll()
  })
  afterEach(async () => {
    await publisher.close()
    broker.stop()
  })

  function start(declared: Topology): void {
    const timeouts = { connectTimeoutMs: 100, confirmTimeoutMs: 100 }
    const { log } = recordTelemetry()
    publisher = createAmqpPublisher({
      url: broker.url,
      clock: hurried,
      random: () => 0,
      log,
      topology: declared,
      ...timeouts,
    })
  }
  const publish = (): Promise<string> =>
    publisher
      .publish(orderPlaced('order-1'), { exchange: 'shop', routingKey: 'order.placed' })
      .catch((error: Error) => error.message)

  test.each(cases)(
    'is left for a new connection when it $how after $stage, with $what',
    async ({ stage, how, declared }) => {
      broker.stallOnce(stage, how)
      start(declared)
      await until('the stall', async () => {
        if (publisher.state.name === 'ready' && !broker.hasStalled) await publish()
        return broker.hasStalled
      })
      await until('a confirmation', async () => (await publish()) === 'confirmed')
      expect(publisher.state).toEqual({ name: 'ready' })
    },
  )

  test.each(cases)(
    'does not keep the publisher from closing when it $how after $stage, with $what',
    async ({ stage, how, declared }) => {
      broker.stallOnce(stage, how)
      start(declared)
      await until('the stall', () => {
        if (publisher.state.name === 'ready') void publish()
        return broker.hasStalled
      })
      let isClosed = false
      void publisher.close().then(() => {
        isClosed = true
      })
      await until('its end', () => isClosed)
      expect(publisher.state).toEqual({ name: 'closed' })
    },
  )
})
