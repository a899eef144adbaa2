import { describe, expect, test } from 'bun:test'
import { createVirtualClock } from '../../tests/support/virtual-clock.ts'
import { Broker } from './broker.ts'
import { type Field, integerOf, textField, textOf } from './codec/field-table.ts'
import { readProperties, writeProperties } from './codec/properties.ts'
import { MOST_DEATHS } from './dead-letter.ts'
import type { BrokerLimits } from './limits.ts'
import type { Message } from './message.ts'
import type { Queue } from './queue.ts'
import { readQueueSettings } from './queue-settings.ts'

const NOBODY = {}

function createScene(limits: Partial<BrokerLimits> = {}) {
  const clock = createVirtualClock()
  const broker = new Broker({ clock, limits })
  return {
    clock,
    broker,
    queue(name: string, table: Record<string, Field> = {}) {
      const settings = readQueueSettings(name, new Map(Object.entries(table)))
      return broker.topology.declareQueue(
        { name, durable: true, autoDelete: false, owner: undefined, settings },
        NOBODY,
      )
    },
    publish(queue: string, text: string, expirationMs?: number) {
      return broker.publish(messageTo(queue, text, expirationMs), () => {})
    },
  }
}

function messageTo(queue: string, text: string, expirationMs: number | undefined): Message {
  const body = new TextEncoder().encode(text)
  return { exchange: '', routingKey: queue, properties: writeProperties({}), body, expirationMs, isPersistent: false }
}

const whole = (value: number): Field => ({ type: 'I', value })
const towards = (queue: string): Record<string, Field> => ({
  'x-dead-letter-exchange': textField(''),
  'x-dead-letter-routing-key': textField(queue),
})

function textsIn(queue: Queue): string[] {
  const texts: string[] = []
  for (let entry = queue.takeFirst(); entry !== undefined; entry = queue.takeFirst()) {
    texts.push(new TextDecoder().decode(queue.messageOf(entry).body))
    queue.acknowledge(entry)
  }
  return texts
}

describe('expiry', () => {
  test('takes a message at its time and not a millisecond earlier', async () => {
    const { clock, queue, publish } = createScene()
    const grave = queue('grave')
    const source = queue('source', { 'x-message-ttl': whole(1_000), ...towards('grave') })
    publish('source', 'a')
    await clock.advance(999)
    expect([source.readyCount, grave.readyCount]).toEqual([1, 0])
    await clock.advance(1)
    expect([source.readyCount, grave.readyCount]).toEqual([0, 1])
  })

  test('uses the shorter of the queue and the message, and only at the head of the queue', async () => {
    const { clock, queue, publish } = createScene()
    const source = queue('source', { 'x-message-ttl': whole(1_000) })
    publish('source', 'long', 5_000)
    publish('source', 'short', 10)
    await clock.advance(500)
    expect(source.readyCount).toBe(2)
    await clock.advance(500)
    expect(source.readyCount).toBe(0)
  })

  test('never hands out an expired message, even when the alarm is late', async () => {
    const { clock, queue, publish } = createScene()
    const source = queue('source')
    publish('source', 'stale', 10)
    publish('source', 'fresh')
    const late = clock.now() + 10
    clock.now = () => late
    expect(textsIn(source)).toEqual(['fresh'])
  })

  test('keeps the deadline of a message that comes back', async () => {
    const { clock, queue, publish } = createScene()
    const source = queue('source', { 'x-message-ttl': whole(1_000) })
    publish('source', 'a')
    const entry = source.takeFirst()
    await clock.advance(900)
    if (entry !== undefined) source.requeue([entry])
    expect(source.readyCount).toBe(1)
    await clock.advance(100)
    expect(source.readyCount).toBe(0)
  })

  test('waits longer than a timer can count', async () => {
    const { clock, queue, publish } = createScene()
    const source = queue('source', { 'x-message-ttl': { type: 'l', value: 3_000_000_000n } })
    publish('source', 'patient')
    await clock.advance(2_999_999_999)
    expect(source.readyCount).toBe(1)
    await clock.advance(1)
    expect(source.readyCount).toBe(0)
  })
})

describe('dead letters', () => {
  test.each<{ name: string; queues: number; arrives: string[] }>([
    { name: 'pass through as many queues as x-death may name', queues: MOST_DEATHS, arrives: ['traveller'] },
    {
      name: 'end after more, so that neither the header nor the work can grow for ever',
      queues: MOST_DEATHS + 1,
      arrives: [],
    },
  ])('$name', ({ queues, arrives }) => {
    const { broker, queue, publish } = createScene()
    const last = queue('q0')
    for (let i = 1; i <= queues; i += 1) queue(`q${i}`, { 'x-max-length': whole(0), ...towards(`q${i - 1}`) })
    publish(`q${queues}`, 'traveller')
    expect(textsIn(last)).toEqual(arrives)
    expect(broker.stats().memoryBytes).toBe(0)
  })

  test('add up their deaths without growing', async () => {
    const { clock, queue, publish } = createScene()
    const work = queue('work', towards('wait'))
    queue('wait', { 'x-message-ttl': whole(50), ...towards('work') })
    publish('work', 'job')
    for (let round = 0; round < 20; round += 1) {
      const entry = work.takeFirst()
      if (entry !== undefined) work.reject(entry)
      await clock.advance(50)
    }
    const deaths = readProperties(work.takeFirst()?.message?.properties ?? writeProperties({})).headers?.get('x-death')
    const told = deaths?.type === 'A' ? deaths.value : []
    const summary = told.map((death) =>
      death.type === 'F' ? [textOf(death.value.get('queue')), integerOf(death.value.get('count'))] : [],
    )
    expect(summary).toEqual([
      ['wait', 20],
      ['work', 20],
    ])
  })
})

describe('memory', () => {
  test('is refused beyond the limit and free again once messages are gone', () => {
    const { broker, queue, publish } = createScene({ memoryBytes: 5_000 })
    const source = queue('source')
    const outcomes = Array.from({ length: 10 }, () => publish('source', 'x'.repeat(1_000)))
    expect(outcomes.filter((outcome) => outcome === 'stored').length).toBe(3)
    expect(outcomes.slice(3).every((outcome) => outcome === 'refused')).toBe(true)
    textsIn(source)
    expect(broker.stats()).toMatchObject({ memoryBytes: 0, ready: 0, unsettled: 0 })
    expect(publish('source', 'x')).toBe('stored')
  })

  test('is given back by purging, deleting, expiring, rejecting, and settling after the queue is gone', async () => {
    const { broker, clock, queue, publish } = createScene()
    const source = queue('source', { 'x-max-length': whole(3) })
    for (const text of ['a', 'b', 'c', 'd']) publish('source', text)
    publish('source', 'brief', 5)
    const held = [source.takeFirst(), source.takeFirst(), source.takeFirst()].filter((entry) => entry !== undefined)
    expect(held.length).toBe(3)
    const [first, ...others] = held
    if (first !== undefined) source.reject(first)
    await clock.advance(10)
    publish('source', 'purged')
    source.purge()
    publish('source', 'deleted')
    broker.deleteQueue(source)
    source.requeue(others)
    expect(broker.stats()).toMatchObject({ memoryBytes: 0, queues: 0 })
  })

  test('bounds how much is declared with 506', () => {
    const { queue } = createScene({ queues: 2 })
    queue('one')
    queue('two')
    queue('two')
    expect(() => queue('three')).toThrow('RESOURCE_ERROR')
  })
})
