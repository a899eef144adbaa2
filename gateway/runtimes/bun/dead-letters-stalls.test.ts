import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { type AMQPBaseClient, type AMQPChannel, AMQPClient } from '@cloudamqp/amqp-client'
import { realClock, until } from '../../../tests/support/real-time.ts'
import { recordTelemetry } from '../../../tests/support/recorded-telemetry.ts'
import { type StallingLine, startStallingLine } from '../../../tests/support/stalling-line.ts'
import type { MethodName } from '../../broker/codec/methods.ts'
import type { Clock } from '../../core/clock.ts'
import type { DeadLetter } from '../../core/operations.ts'
import { type AmqpDeadLetters, createAmqpDeadLetters } from '../../events/amqp-dead-letters.ts'
import { type EmbeddedBroker, startEmbeddedBroker } from './embedded-broker.ts'

/** The ten seconds that a broker has to answer, and the five to confirm, are a twentieth of that here. */
const hurried: Clock = {
  ...realClock,
  after: (delayMs, task) => realClock.after(delayMs === 10_000 ? 500 : delayMs === 5_000 ? 250 : delayMs, task),
}

interface Case {
  readonly name: string
  readonly stage: MethodName
  /** How often the client has sent that before. */
  readonly passes: number
  readonly work: (deadLetters: AmqpDeadLetters) => Promise<unknown>
}
const count = (deadLetters: AmqpDeadLetters) => deadLetters.count('shop.dead-letters')
const list = (deadLetters: AmqpDeadLetters) => deadLetters.list(10)
const show = (deadLetters: AmqpDeadLetters) => deadLetters.show('b')
const replay = (deadLetters: AmqpDeadLetters) => deadLetters.replay('b')
const discard = (deadLetters: AmqpDeadLetters) => deadLetters.discard('b')
const cases: readonly Case[] = [
  { name: 'a count, at its channel', stage: 'channel.open', passes: 0, work: count },
  { name: 'a count, at its queue', stage: 'queue.declare', passes: 0, work: count },
  { name: 'a list, at its channel', stage: 'channel.open', passes: 0, work: list },
  { name: 'a list, at its queue', stage: 'queue.declare', passes: 0, work: list },
  { name: 'a list, at the second letter', stage: 'basic.get', passes: 1, work: list },
  { name: 'a list, at its end', stage: 'channel.close', passes: 2, work: list },
  { name: 'a look at one, at the second letter', stage: 'basic.get', passes: 1, work: show },
  { name: 'a replay, at its confirms', stage: 'confirm.select', passes: 0, work: replay },
  { name: 'a replay, at the second letter', stage: 'basic.get', passes: 1, work: replay },
  { name: 'a replay, when the last is taken off', stage: 'basic.ack', passes: 0, work: (it) => it.replay('c') },
  { name: 'a discard, at the second letter', stage: 'basic.get', passes: 1, work: discard },
  { name: 'a discard, when the last is taken off', stage: 'basic.ack', passes: 0, work: (it) => it.discard('c') },
]

describe('A broker that sends heartbeats and never answers', () => {
  let broker: EmbeddedBroker
  let line: StallingLine
  let observer: AMQPBaseClient
  let channel: AMQPChannel
  let deadLetters: AmqpDeadLetters
  let discarded: DeadLetter[]

  beforeAll(async () => {
    broker = await startEmbeddedBroker({ clock: realClock, log: recordTelemetry().log })
    observer = await new AMQPClient(broker.url).connect()
    channel = await observer.channel()
  })
  afterAll(async () => {
    await observer.close()
    await broker.stop()
  })
  beforeEach(async () => {
    for (const queue of ['shop.dead-letters', 'shop.placed']) await channel.queueDeclare(queue, { durable: true })
    for (const id of ['a', 'b', 'c']) {
      const properties = { messageId: id, deliveryMode: 2, headers: { 'x-queue': 'shop.placed' } }
      await channel.basicPublish('', 'shop.dead-letters', 'x', properties)
    }
    discarded = []
    line = await startStallingLine(broker.url)
    const queues = ['shop.dead-letters']
    deadLetters = createAmqpDeadLetters({
      url: line.url,
      queues,
      clock: hurried,
      onDiscard: (it) => discarded.push(it),
    })
  })
  afterEach(async () => {
    await deadLetters.close()
    line.stop()
    for (const queue of ['shop.dead-letters', 'shop.placed']) await channel.queueDelete(queue)
  })

  test.each(cases)('ends $name, with what to do, and leaves nothing behind', async ({ stage, passes, work }) => {
    line.stallOnce(stage, passes)
    let reason: unknown
    void work(deadLetters).catch((error: unknown) => {
      reason = error
    })
    await until('a refusal', () => reason !== undefined, 5_000)
    expect(line.hasStalled).toBe(true)
    expect(reason).toMatchObject({ name: 'OperationRefused', kind: 'unavailable' })
    expect(String(reason)).toContain('did not answer within 10 s')
    expect(String(reason)).toContain('"shop.dead-letters"')
    expect(String(reason)).toContain('try again')
    expect(discarded).toEqual([])
    await until('the connection to be gone', () => line.connections === 0)

    const { queues, letters } = await deadLetters.list(10)
    expect(queues).toEqual([{ name: 'shop.dead-letters', messages: 3 }])
    expect(letters.map(({ id }) => id)).toEqual(['a', 'b', 'c'])
    expect(await deadLetters.discard('b')).toMatchObject([{ id: 'b' }])
    expect(discarded.map(({ id }) => id)).toEqual(['b'])
  })

  test('ends a replay whose message is not confirmed, and keeps the letter', async () => {
    line.stallOnce('basic.publish')
    let reason: unknown
    void replay(deadLetters).catch((error: unknown) => {
      reason = error
    })
    await until('a refusal', () => reason !== undefined, 5_000)
    expect(String(reason)).toContain('The broker did not confirm within 5000 ms')
    expect((await list(deadLetters)).letters.map(({ id }) => id)).toEqual(['a', 'b', 'c'])
  })

  test('holds up no other wish for longer than the first', async () => {
    line.stallOnce('basic.get')
    const first = list(deadLetters).catch(({ kind }) => kind)
    const second = list(deadLetters).then(({ letters }) => letters.length)
    expect(await Promise.all([first, second])).toEqual(['unavailable', 3])
  })
})
