import { describe, expect, test } from 'bun:test'
import { createVirtualClock } from '../../tests/support/virtual-clock.ts'
import { Broker } from './broker.ts'
import { type Field, textField } from './codec/field-table.ts'
import { writeProperties } from './codec/properties.ts'
import type { Queue } from './queue.ts'
import { readQueueSettings } from './queue-settings.ts'

const NOBODY = {}
const RETRY_MS = 1_000
const whole = (value: number): Field => ({ type: 'I', value })
const AT_LEAST_ONCE = {
  'x-queue-type': textField('quorum'),
  'x-overflow': textField('reject-publish'),
  'x-dead-letter-strategy': textField('at-least-once'),
  'x-dead-letter-exchange': textField(''),
  'x-dead-letter-routing-key': textField('grave'),
}

function createScene() {
  const clock = createVirtualClock()
  const broker = new Broker({ clock })
  const scene = {
    clock,
    broker,
    queue(name: string, table: Record<string, Field> = {}): Queue {
      const settings = readQueueSettings(name, new Map(Object.entries(table)))
      return broker.topology.declareQueue(
        { name, durable: true, autoDelete: false, owner: undefined, settings },
        NOBODY,
      )
    },
    publish(queue: string) {
      const [properties, body] = [writeProperties({}), new Uint8Array(1)]
      const message = { exchange: '', routingKey: queue, properties, body, expirationMs: undefined, isPersistent: true }
      return broker.publish(message, () => {})
    },
    /** Publishes a message and rejects it. */
    kill(queue: Queue) {
      scene.publish(queue.name)
      const entry = queue.takeFirst()
      if (entry !== undefined) queue.reject(entry)
    },
  }
  return scene
}

describe('a dead letter that must arrive', () => {
  test('waits for a queue to go to, and leaves once there is one', async () => {
    const { clock, broker, queue, kill } = createScene()
    const source = queue('source', AT_LEAST_ONCE)
    kill(source)
    kill(source)
    await clock.advance(5 * RETRY_MS)
    expect([source.heldCount, broker.stats().memoryBytes > 0]).toEqual([2, true])
    clock.jump(-3_600_000)
    const grave = queue('grave')
    await clock.advance(RETRY_MS)
    expect([source.heldCount, grave.readyCount]).toEqual([0, 2])
    grave.purge()
    expect(broker.stats().memoryBytes).toBe(0)
  })

  test('waits for room where it goes, counts towards the length of its queue meanwhile, and keeps the limit', async () => {
    const { clock, queue, publish, kill } = createScene()
    const grave = queue('grave', { 'x-max-length': whole(1), 'x-overflow': textField('reject-publish') })
    const source = queue('source', { ...AT_LEAST_ONCE, 'x-max-length': whole(1) })
    publish('grave')
    kill(source)
    await clock.advance(RETRY_MS)
    expect([grave.readyCount, publish('source')]).toEqual([1, 'refused'])
    grave.purge()
    await clock.advance(RETRY_MS)
    expect([grave.readyCount, publish('source')]).toEqual([1, 'stored'])
  })

  test('ends with the queue it waits in', async () => {
    const { clock, broker, queue, kill } = createScene()
    const source = queue('source', AT_LEAST_ONCE)
    kill(source)
    broker.deleteQueue(source)
    await clock.advance(RETRY_MS)
    expect(broker.stats().memoryBytes).toBe(0)
  })

  test('is given up without reject-publish, as by RabbitMQ', () => {
    const { broker, queue, kill } = createScene()
    kill(queue('source', { ...AT_LEAST_ONCE, 'x-overflow': textField('drop-head') }))
    expect(broker.stats().memoryBytes).toBe(0)
  })
})
