import { describe, expect, test } from 'bun:test'
import { createScriptedStorage, type ScriptedStorage } from '../../tests/support/scripted-broker-storage.ts'
import { createVirtualClock } from '../../tests/support/virtual-clock.ts'
import { Broker } from './broker.ts'
import { type Field, textField } from './codec/field-table.ts'
import { writeProperties } from './codec/properties.ts'
import type { BrokerLimits } from './limits.ts'
import type { Entry } from './message.ts'
import type { Queue } from './queue.ts'
import { readQueueSettings } from './queue-settings.ts'

const NOBODY = {}
const whole = (value: number): Field => ({ type: 'I', value })
const QUORUM = { 'x-queue-type': textField('quorum') }

function createScene(storage: ScriptedStorage = createScriptedStorage(), limits: Partial<BrokerLimits> = {}) {
  const clock = createVirtualClock()
  const broker = new Broker({ clock, limits, storage })
  const told: string[] = []
  return {
    clock,
    broker,
    storage,
    /** What publishers have been told, in order. */
    told,
    queue(name: string, table: Record<string, Field> = {}, durable = true): Queue {
      const settings = readQueueSettings(name, new Map(Object.entries(table)))
      return broker.topology.declareQueue({ name, durable, autoDelete: false, owner: undefined, settings }, NOBODY)
    },
    publish(queue: string, text: string, isPersistent = true) {
      const properties = writeProperties({ ...(isPersistent ? { deliveryMode: 2 } : {}) })
      const body = new TextEncoder().encode(text)
      const message = { exchange: '', routingKey: queue, properties, body, expirationMs: undefined, isPersistent }
      return broker.publish(message, (failure) =>
        told.push(failure === undefined ? text : `${text}: ${failure.message}`),
      )
    },
    /** The broker that finds what was written when the process dies now. */
    crash: () => createScene(storage.crashed(), limits),
  }
}

function take(queue: Queue): Entry {
  const entry = queue.takeFirst()
  if (entry === undefined) throw new Error(`Nothing is ready in ${queue.name}`)
  return entry
}

function textsIn(queue: Queue): string[] {
  const texts: string[] = []
  for (let entry = queue.takeFirst(); entry !== undefined; entry = queue.takeFirst()) {
    texts.push(new TextDecoder().decode(queue.messageOf(entry).body))
    queue.acknowledge(entry)
  }
  return texts
}

describe('what is confirmed', () => {
  test('has been written, unless it ends with the broker anyway', async () => {
    const { storage, queue, publish, told } = createScene()
    queue('durable')
    queue('passing', {}, false)
    expect([publish('durable', 'a'), publish('durable', 'transient', false), publish('passing', 'b')]).toEqual([
      'pending',
      'stored',
      'stored',
    ])
    expect(told).toEqual([])
    await storage.write()
    expect(told).toEqual(['a'])
  })

  test('survives a crash in its order; what was not written does not', async () => {
    const { storage, queue, publish, crash } = createScene()
    queue('q')
    for (const text of ['a', 'b', 'c']) publish('q', text)
    await storage.write()
    publish('q', 'too late')
    expect(textsIn(crash().queue('q'))).toEqual(['a', 'b', 'c'])
  })

  test('is refused together and stored nowhere when the disk does not take it, until the disk does again', async () => {
    const { broker, storage, queue, publish, told, crash } = createScene()
    const q = queue('q')
    publish('q', 'before')
    await storage.write()
    storage.break('disk full')
    publish('q', 'a')
    publish('q', 'b')
    await storage.write()
    expect(told).toEqual(['before', 'a: disk full', 'b: disk full'])
    expect([q.readyCount, broker.room.pauseReason, publish('q', 'c')]).toEqual([1, 'disk full', 'refused'])

    storage.break(undefined)
    await storage.write()
    expect([broker.room.pauseReason, publish('q', 'd')]).toEqual([undefined, 'pending'])
    await storage.write()
    expect(textsIn(crash().queue('q'))).toEqual(['before', 'd'])
    expect(textsIn(q)).toEqual(['before', 'd'])
    expect(broker.stats()).toMatchObject({ memoryBytes: 0, diskBytes: 0 })
  })

  test('can be acknowledged by a consumer that was faster than a disk that fails', async () => {
    const { broker, storage, queue, publish } = createScene()
    const q = queue('q')
    storage.break('disk full')
    publish('q', 'fast')
    const entry = take(q)
    await storage.write()
    q.acknowledge(entry)
    expect(broker.stats()).toMatchObject({ ready: 0, unsettled: 0, memoryBytes: 0, diskBytes: 0 })
  })
})

describe('a declaration', () => {
  test('is written before it is answered', () => {
    const { queue, crash } = createScene()
    queue('q')
    expect(crash().broker.topology.hasQueue('q')).toBe(true)
  })

  test('that cannot be written is refused with 506 and leaves nothing', async () => {
    const { broker, storage, queue, crash } = createScene()
    storage.break('disk full')
    const exchange = { name: 'e', type: 'topic', durable: true, autoDelete: false, internal: false } as const
    expect(() => queue('q')).toThrow("cannot store queue 'q': disk full")
    expect(() => broker.topology.declareExchange(exchange)).toThrow("cannot store exchange 'e': disk full")
    storage.break(undefined)
    await storage.write()
    expect(broker.stats()).toMatchObject({ queues: 0, exchanges: 3 })
    expect(crash().broker.stats()).toMatchObject({ queues: 0, exchanges: 3 })
  })

  test('of a queue that was deleted finds nothing of the earlier one', async () => {
    const { broker, storage, queue, publish, crash } = createScene()
    const first = queue('q')
    publish('q', 'old')
    await storage.write()
    take(first)
    broker.deleteQueue(first)
    queue('q')
    expect(textsIn(crash().queue('q'))).toEqual([])
  })
})

describe('after a crash', () => {
  test('every message that may have been delivered is marked, and each mark of many deliveries is one write', async () => {
    const { storage, queue, publish, crash } = createScene()
    const q = queue('q')
    for (let i = 0; i < 600; i += 1) publish('q', `${i}`)
    await storage.write()
    const before = storage.writes
    for (let i = 0; i < 300; i += 1) take(q)
    expect(storage.writes - before).toBe(2)
    const again = crash().queue('q')
    const marks = Array.from({ length: 600 }, () => take(again).redelivered)
    expect(marks.slice(0, 300).every(Boolean)).toBe(true)
    expect(marks.filter(Boolean).length).toBeLessThanOrEqual(300 + 256)
  })

  test('nothing new is taken for old, and after an end in good order nothing is that was not delivered', async () => {
    const { broker, storage, queue, publish, crash } = createScene()
    const q = queue('q')
    for (const text of ['a', 'b', 'c']) publish('q', text)
    await storage.write()
    take(q)
    const crashed = crash()
    crashed.queue('q')
    crashed.publish('q', 'new')
    await crashed.storage.write()
    const afterCrash = crashed.queue('q')
    const seen = Array.from({ length: 4 }, () => take(afterCrash).redelivered)
    expect([seen[0], seen[3]]).toEqual([true, false])

    broker.end()
    const afterEnd = crash().queue('q')
    expect(Array.from({ length: 3 }, () => take(afterEnd).redelivered)).toEqual([true, false, false])
  })

  test('a quorum queue goes on counting towards its limit', async () => {
    const { storage, queue, publish, crash } = createScene()
    const table = { ...QUORUM, 'x-delivery-limit': whole(2), 'x-dead-letter-exchange': textField('') }
    const towards = { ...table, 'x-dead-letter-routing-key': textField('grave') }
    queue('grave')
    const q = queue('q', towards)
    publish('q', 'poison', false)
    for (let i = 0; i < 2; i += 1) q.requeue([take(q)])
    await storage.write()
    const after = crash()
    const again = after.queue('q', towards)
    again.requeue([take(again)])
    expect([again.readyCount, after.queue('grave').readyCount]).toEqual([0, 1])
  })

  test('a dead letter is in one queue, whether the move was written or not', async () => {
    const { clock, storage, queue, publish, crash } = createScene()
    const grave = { 'x-dead-letter-exchange': textField(''), 'x-dead-letter-routing-key': textField('grave') }
    queue('grave')
    queue('q', { 'x-message-ttl': whole(1_000), ...grave })
    publish('q', 'brief')
    await storage.write()
    await clock.advance(1_000)
    const ready = ({ broker, queue: at }: ReturnType<typeof crash>) => [at('grave').readyCount, broker.stats().ready]
    // The clock of the next broker stands where it has not expired yet.
    expect(ready(crash())).toEqual([0, 1])
    await storage.write()
    expect(ready(crash())).toEqual([1, 1])
  })
})

describe('memory', () => {
  test('is left by what is on the disk once a quarter of it is used, and deliveries read it back', async () => {
    const { broker, storage, queue, publish } = createScene(undefined, { memoryBytes: 100_000 })
    const q = queue('q')
    const texts = Array.from({ length: 60 }, (_, i) => `${i}`.padEnd(5_000, '.'))
    for (const text of texts) {
      expect(publish('q', text)).toBe('pending')
      await storage.write()
    }
    const { memoryBytes, diskBytes } = broker.stats()
    expect(diskBytes).toBeGreaterThan(300_000)
    expect(memoryBytes).toBeLessThan(50_000)
    expect(textsIn(q)).toEqual(texts)
    expect(broker.stats()).toMatchObject({ memoryBytes: 0, diskBytes: 0 })
  })

  test('asks publishers to pause near either limit, and to go on with some room again', async () => {
    const { broker, storage, queue, publish } = createScene(undefined, { diskBytes: 20 * 1_000 })
    const q = queue('q')
    const heard: (string | undefined)[] = []
    broker.room.watch(() => heard.push(broker.room.pauseReason))
    // With its bookkeeping (512) and its properties (3) each counts for 1,000 octets.
    const body = 'x'.repeat(1_000 - 512 - 3)
    for (let i = 0; i < 19; i += 1) publish('q', body)
    await storage.write()
    expect(heard).toEqual(['low on disk'])
    expect([publish('q', body), publish('q', body)]).toEqual(['pending', 'refused'])
    for (let i = 0; i < 4; i += 1) q.acknowledge(take(q))
    expect(heard).toEqual(['low on disk'])
    q.acknowledge(take(q))
    expect(heard).toEqual(['low on disk', undefined])
  })
})
