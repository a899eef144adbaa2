import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { startDelivering } from '../../../tests/support/delivery-scene.ts'
import { orderPlaced } from '../../../tests/support/outbox-conformance.ts'
import { realClock, until } from '../../../tests/support/real-time.ts'
import { type ScriptedBroker, startScriptedBroker } from '../../../tests/support/scripted-broker.ts'
import { createVirtualClock } from '../../../tests/support/virtual-clock.ts'
import type { Clock } from '../../core/clock.ts'
import { createAmqpPublisher } from '../../events/amqp-publisher.ts'
import { createMemoryOutbox } from '../../events/memory-outbox.ts'
import type { Outbox } from '../../events/outbox.ts'

/** The minute for which a channel is kept that has messages without a confirmation is half a second here. */
const hurried: Clock = {
  ...realClock,
  after: (delayMs, task) => realClock.after(delayMs === 60_000 ? 500 : delayMs, task),
}

describe('The confirmations of a broker', () => {
  let broker: ScriptedBroker
  let outbox: Outbox
  let delivering: ReturnType<typeof startDelivering>

  beforeEach(async () => {
    broker = await startScriptedBroker()
    outbox = createMemoryOutbox()
    delivering = startDelivering(outbox, broker.url, hurried)
    await until('a connection', () => delivering.publisher.state.name === 'ready')
  })
  afterEach(async () => {
    broker.ack(broker.messages.at(-1)?.tag ?? 0, true)
    await delivering.stop()
    broker.stop()
  })

  async function order(count: number): Promise<void> {
    for (let i = 1; i <= count; i++) await delivering.order(`e${i}`, `s${i}`, 'shop')
    await until('all messages', () => broker.messages.length === count)
  }
  const tagOf = (id: string) => broker.messages.find(({ messageId }) => messageId === id)?.tag ?? 0
  const left = async () => (await outbox.list('committed', 100)).map(({ id }) => id)
  const untilLeft = (ids: string[]) =>
    until(`${ids} to be left`, async () => JSON.stringify((await left()).sort()) === JSON.stringify(ids.sort()))

  test('each end the events they name and no other, in any order, one by one or many at once (EV-25)', async () => {
    await order(10)
    const byTag = [...broker.messages].sort((a, b) => a.tag - b.tag).map(({ messageId }) => messageId)
    const from = (first: number) => byTag.slice(first - 1)

    broker.ack(7)
    await untilLeft([...from(1).slice(0, 6), ...from(8)])
    broker.ack(2)
    await untilLeft([byTag[0] ?? '', ...from(3).slice(0, 4), ...from(8)])
    broker.ack(5, true)
    await untilLeft([byTag[5] ?? '', ...from(8)])
    broker.ack(10, true)
    await untilLeft([])
    expect(delivering.telemetry.valueOf('sluice_events_confirmed_total')).toBe(10)
    expect(broker.messages).toHaveLength(10)
  })

  test('that refuse many at once put each of these off, and all of them are sent again (EV-25)', async () => {
    await order(6)
    broker.nack(4, true)
    broker.ack(6, true)
    await until('four more', () => broker.messages.length === 10)
    const [first, again] = [broker.messages.slice(0, 6), broker.messages.slice(6)]
    expect(again.map(({ messageId }) => messageId).sort()).toEqual(
      first
        .filter(({ tag }) => tag <= 4)
        .map(({ messageId }) => messageId)
        .sort(),
    )
    broker.ack(10, true)
    await untilLeft([])
  })

  test('that never come leave their events in the outbox, which sends them again under the same id', async () => {
    await order(3)
    broker.ack(tagOf('e2'))
    const channels = broker.channels
    await until('two more', () => broker.messages.length >= 5)
    expect(new Set(broker.messages.slice(3, 5).map(({ messageId }) => messageId))).toEqual(new Set(['e1', 'e3']))
    expect((await left()).sort()).toEqual(['e1', 'e3'])
    await until('the first channel to be closed', () => broker.channels === channels)
  })

  test('are waited for 5 s when nothing else is said', async () => {
    const clock = createVirtualClock()
    const publisher = createAmqpPublisher({ url: broker.url, clock, random: () => 0, log: delivering.telemetry.log })
    await until('a connection', () => publisher.state.name === 'ready')
    let outcome = 'none'
    const address = { exchange: 'shop', routingKey: 'order.placed' }
    publisher.publish(orderPlaced('late'), address).catch(({ message }) => {
      outcome = message
    })
    await until('the message', () => broker.messages.some(({ messageId }) => messageId === 'late'))
    await clock.advance(4_999)
    expect(outcome).toBe('none')
    await clock.advance(1)
    expect(outcome).toBe('the broker did not confirm within 5000 ms')
    await publisher.close()
  })
})
