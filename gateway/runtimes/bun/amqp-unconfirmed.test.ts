import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { startDelivering } from '../../../tests/support/delivery-scene.ts'
import { orderPlaced } from '../../../tests/support/outbox-conformance.ts'
import { quickestRun, until } from '../../../tests/support/real-time.ts'
import { type ScriptedBroker, startScriptedBroker } from '../../../tests/support/scripted-broker.ts'
import { createMemoryOutbox } from '../../events/memory-outbox.ts'
import type { Outbox } from '../../events/outbox.ts'

describe('A queue that confirms nothing', () => {
  let broker: ScriptedBroker
  let outbox: Outbox
  let delivering: ReturnType<typeof startDelivering>

  beforeEach(async () => {
    broker = await startScriptedBroker()
    broker.ackAll('stuck')
    outbox = createMemoryOutbox()
    delivering = startDelivering(outbox, broker.url)
    await until('a connection', () => delivering.publisher.state.name === 'ready')
  })
  afterEach(async () => {
    await delivering.stop()
    broker.stop()
  })

  const arrived = (exchange: string) =>
    broker.messages.filter((each) => each.exchange === exchange).map(({ messageId }) => messageId)
  const confirmed = () => delivering.telemetry.valueOf('sluice_events_confirmed_total')
  const waiting = async () => (await outbox.counts()).committed

  async function order(exchange: string, count: number): Promise<void> {
    for (let i = 0; i < count; i++) await delivering.order(`${exchange}-${i}`, `${exchange}-${i}`, exchange)
  }
  /** Every event has been put off, those that were never sent too. */
  const untilPutOff = (count: number) =>
    until('events to be put off', () => delivering.telemetry.valueOf('sluice_relay_retries_total') >= count)

  test('holds up no event that goes elsewhere, before and after it is known', async () => {
    await order('stuck', 600)
    await until('its events', () => arrived('stuck').length > 0)
    await order('shop', 300)
    await until('the others', () => confirmed() === 300)
    expect(new Set(arrived('shop')).size).toBe(300)
    // A confirmation is waited for longer than this; see `startDelivering`.
    let batches = 1
    const tookMs = await quickestRun(900, async () => {
      batches++
      await order(`billing-${batches}`, 300)
      await until('still others', () => confirmed() === batches * 300)
    })
    expect(tookMs).toBeLessThanOrEqual(900)
    expect(await waiting()).toBe(600)
  })

  test('holds no more than 128 messages, and gets none of them a second time while it may confirm them', async () => {
    await order('stuck', 200)
    await untilPutOff(1_000)
    expect(arrived('stuck')).toHaveLength(128)
    // Silence is no reason to leave a connection that answers when it is asked.
    expect(delivering.telemetry.lines.filter(({ message }) => message === 'Connected to the broker')).toHaveLength(1)
    const sent = [...broker.messages]
    broker.ackAll()
    for (const message of sent) message.ack()
    await until('an empty outbox', async () => (await waiting()) === 0)
    expect(arrived('stuck').sort()).toEqual(Array.from({ length: 200 }, (_, i) => `stuck-${i}`).sort())
    expect(confirmed()).toBe(200)
    expect(delivering.telemetry.valueOf('sluice_events_published_total')).toBe(200)
  })

  test('gets an event again that it refuses late', async () => {
    await order('stuck', 1)
    await untilPutOff(2)
    broker.ackAll()
    broker.nack(1)
    await until('an empty outbox', async () => (await waiting()) === 0)
    expect(arrived('stuck')).toEqual(['stuck-0', 'stuck-0'])
  })

  test('says why its events wait', async () => {
    await order('stuck', 1)
    await untilPutOff(2)
    const [entry] = await outbox.due(1, new Set())
    expect(entry && delivering.relay.waiting(entry)?.reason).toBe(
      'the broker has yet to confirm what was sent there before',
    )
  })

  test('leaves enough channels for more routing keys than the broker lets have one at once', async () => {
    await order('stuck', 1)
    await untilPutOff(1)
    const publish = (key: number) =>
      delivering.publisher.publish(orderPlaced(`shop-${key}`), { exchange: 'shop', routingKey: `key-${key}` })
    for (let i = 0; i < 300; i++) expect(await publish(i % 150)).toBe('confirmed')
    const together = await Promise.all(Array.from({ length: 80 }, (_, i) => publish(i)))
    expect(new Set(together)).toEqual(new Set(['confirmed']))
    expect(broker.channels).toBeLessThanOrEqual(100)
    await untilPutOff(3)
    expect(arrived('stuck')).toHaveLength(1)
  })
})
