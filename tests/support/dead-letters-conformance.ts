import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { type AMQPBaseClient, type AMQPChannel, AMQPClient, type AMQPProperties } from '@cloudamqp/amqp-client'
import { type DeadLetter, OperationRefused } from '../../gateway/core/operations.ts'
import { deadLetterName } from '../../gateway/core/topology.ts'
import { type AmqpDeadLetters, createAmqpDeadLetters } from '../../gateway/events/amqp-dead-letters.ts'
import { realClock, until } from './real-time.ts'

const TRACE = '00-d7089c309f127bc1f20d667f30a4338e-1a2b3c4d5e6f7081-01'

/** What an operator does with dead letters on a real broker; `brokerUrl` is asked once the hooks of the caller have run. */
export function testDeadLetters(name: string, brokerUrl: () => string): void {
  describe(`dead letters on ${name}`, () => {
    let deadLetters: AmqpDeadLetters
    let observer: AMQPBaseClient
    let channel: AMQPChannel
    let deadQueue: string
    let queue: string

    beforeEach(async () => {
      const exchange = `test.${crypto.randomUUID()}`
      deadQueue = deadLetterName(exchange)
      queue = `inventory.${exchange}`
      observer = await new AMQPClient(brokerUrl()).connect()
      channel = await observer.channel()
      await channel.confirmSelect()
      await channel.queueDeclare(deadQueue, { durable: true }, { 'x-queue-type': 'quorum' })
      await channel.queueDeclare(queue, { durable: true }, { 'x-queue-type': 'quorum' })
      deadLetters = createAmqpDeadLetters({ url: brokerUrl(), queues: [deadQueue], clock: realClock })
    })

    afterEach(async () => {
      await deadLetters.close()
      for (const each of [deadQueue, queue]) await channel.queueDelete(each)
      await observer.close()
    })

    /** What the consumer kit publishes when it gives a message up. */
    const bury = (id: string, { headers, ...properties }: AMQPProperties = {}) =>
      channel.basicPublish('', deadQueue, `{"order":"${id}"}`, {
        messageId: id,
        type: 'order.placed',
        contentType: 'application/json',
        deliveryMode: 2,
        ...properties,
        headers: {
          cloudEvents_subject: `subject-${id}`,
          cloudEvents_traceparent: TRACE,
          'x-queue': queue,
          'x-error-type': 'wrong-data',
          'x-error-detail': 'no such item',
          'x-attempts': 12,
          'x-first-failure-at': '2026-01-02T03:04:05.000Z',
          ...headers,
        },
      })

    const held = async (of: string) => (await channel.queueDeclare(of, { passive: true })).messageCount
    const ids = async (limit = 100) => (await deadLetters.list(limit)).letters.map(({ id }) => id)
    const kindOf = (work: Promise<unknown>) =>
      work.then(
        () => 'done',
        (error: unknown) => (error instanceof OperationRefused ? error.kind : String(error)),
      )

    test('are listed with what went wrong, the oldest first, and stay where they are', async () => {
      for (const id of ['a', 'b', 'c']) await bury(id)
      const { queues, letters } = await deadLetters.list(100)
      expect(queues).toEqual([{ name: deadQueue, messages: 3 }])
      expect(letters[0]).toEqual({
        id: 'a',
        deadLetterQueue: deadQueue,
        queue,
        type: 'order.placed',
        subject: 'subject-a',
        traceparent: TRACE,
        reason: 'wrong-data: no such item',
        attempts: 12,
        firstFailureAtMs: Date.UTC(2026, 0, 2, 3, 4, 5),
        bytes: 13,
      })
      for (let i = 0; i < 3; i++) expect(await ids()).toEqual(['a', 'b', 'c'])
      expect(await ids(2)).toEqual(['a', 'b'])
      expect(await ids()).toEqual(['a', 'b', 'c'])
      await until('all are given back', async () => (await held(deadQueue)) === 3)
    })

    test('go back to the queue they died in, with the same id, attributes and trace, and a clean slate', async () => {
      for (const id of ['a', 'b', 'c']) await bury(id, { headers: { CC: [deadQueue], own: 'kept' } })
      expect(await deadLetters.replay('b')).toEqual({ done: 1, refused: [] })
      expect(await ids()).toEqual(['a', 'c'])
      const back = await channel.basicGet(queue, { noAck: true })
      expect(back?.bodyString()).toBe('{"order":"b"}')
      const { 'x-delivery-count': _, ...headers } = back?.properties.headers ?? {}
      expect({ ...back?.properties, headers }).toEqual({
        messageId: 'b',
        type: 'order.placed',
        contentType: 'application/json',
        deliveryMode: 2,
        headers: {
          cloudEvents_subject: 'subject-b',
          cloudEvents_traceparent: TRACE,
          'x-first-failure-at': '2026-01-02T03:04:05.000Z',
          own: 'kept',
        },
      })
      expect(await held(queue)).toBe(0)
    })

    test('go back all at once in their order, and a second run sends nothing', async () => {
      for (const id of ['a', 'b', 'c']) await bury(id)
      expect(await deadLetters.replayAll()).toEqual({ done: 3, refused: [] })
      expect(await deadLetters.replayAll()).toEqual({ done: 0, refused: [] })
      const order: (string | undefined)[] = []
      for (let i = 0; i < 3; i++) order.push((await channel.basicGet(queue, { noAck: true }))?.properties.messageId)
      expect(order).toEqual(['a', 'b', 'c'])
      expect(await held(queue)).toBe(0)
      expect(await kindOf(deadLetters.replay('a'))).toBe('not-found')
    })

    test('take effect once though the replay is run twice by two people at once, and its end is cut off (CON-07)', async () => {
      const effects = new Set<string>()
      let deliveries = 0
      const inbox = await observer.channel()
      await inbox.basicConsume(queue, { noAck: false }, async (message) => {
        deliveries++
        effects.add(message.properties.messageId ?? '')
        await message.ack()
      })
      for (let i = 0; i < 20; i++) await bury(`event-${i}`)
      // A run that dies between the broker's confirmation and taking the letter off leaves just this behind.
      await bury('event-0')
      const other = createAmqpDeadLetters({ url: brokerUrl(), queues: [deadQueue], clock: realClock })
      const tallies = await Promise.all([deadLetters.replayAll(), other.replayAll()])
      await other.close()
      expect(tallies.reduce((sum, { done }) => sum + done, 0)).toBe(21)
      await until('every letter is delivered', () => deliveries === 21)
      expect(effects.size).toBe(20)
      expect(await held(deadQueue)).toBe(0)
    })

    test('stay when the queue they died in is gone, and say so', async () => {
      await bury('a', { headers: { 'x-queue': 'test.gone' } })
      await bury('b')
      expect(await deadLetters.replayAll()).toEqual({
        done: 1,
        refused: [{ id: 'a', reason: 'the queue it died in, "test.gone", is gone' }],
      })
      expect(await ids()).toEqual(['a'])
    })

    test('that no message can carry back stay, say so, and hold up no other', async () => {
      await bury('a', { headers: { 'x-queue': 'q'.repeat(256) } })
      await bury('b')
      const { done, refused } = await deadLetters.replayAll()
      expect([done, refused.map(({ id }) => id)]).toEqual([1, ['a']])
      expect(refused[0]?.reason).toStartWith('it cannot be sent: ')
      expect(await ids()).toEqual(['a'])
    })

    test('are shown one at a time with headers and data, without what may be a credential, and stay', async () => {
      const headers = {
        authorization: 'Bearer geheim',
        nested: { token: 'geheim', depth: 1n },
        long: 'x'.repeat(5_000),
      }
      await bury('a', { headers })
      await bury('b')
      const [letter, ...others] = await deadLetters.show('a')
      expect(others).toEqual([])
      expect(letter).toMatchObject({
        id: 'a',
        queue,
        reason: 'wrong-data: no such item',
        body: '{"order":"a"}',
        headers: {
          cloudEvents_subject: 'subject-a',
          'x-error-type': 'wrong-data',
          'x-attempts': '12',
          authorization: '(not shown)',
          nested: '{"token":"(not shown)","depth":1}',
        },
      })
      expect(letter?.headers.long).toHaveLength(500)
      expect(await ids()).toEqual(['a', 'b'])
      expect(await kindOf(deadLetters.show('c'))).toBe('not-found')
    })

    test('show no more than 16 KiB of a long body', async () => {
      await channel.basicPublish('', deadQueue, 'x'.repeat(100_000), {
        messageId: 'long',
        headers: { 'x-queue': queue },
      })
      const [letter] = await deadLetters.show('long')
      expect([letter?.bytes, letter?.body.length]).toEqual([100_000, 16_384])
    })

    test('are given up by their whole id: gone from their queue, sent nowhere, and told of', async () => {
      const told: unknown[] = []
      const onDiscard = ({ id, type, subject, reason }: DeadLetter) => void told.push({ id, type, subject, reason })
      const operator = createAmqpDeadLetters({ url: brokerUrl(), queues: [deadQueue], clock: realClock, onDiscard })
      for (const id of ['a', 'ab', 'b']) await bury(id)
      expect(await operator.discard('a')).toMatchObject([{ id: 'a', queue, deadLetterQueue: deadQueue }])
      expect(told).toEqual([
        { id: 'a', type: 'order.placed', subject: 'subject-a', reason: 'wrong-data: no such item' },
      ])
      expect(await kindOf(operator.discard('a'))).toBe('not-found')
      expect(await kindOf(operator.discard(''))).toBe('not-found')
      await operator.close()
      expect(await ids()).toEqual(['ab', 'b'])
      expect(await held(queue)).toBe(0)
    })

    test('are known by a digest when they have no id', async () => {
      await channel.basicPublish('', deadQueue, 'nonsense', { headers: { 'x-queue': queue } })
      const [id = ''] = await ids()
      expect(id).toMatch(/^sha256-[0-9a-f]{32}$/)
      expect(await deadLetters.replay(id)).toEqual({ done: 1, refused: [] })
      expect(await ids()).toEqual([])
    })

    test('are told to be nowhere when the broker has no such queue, and the next look is no worse for it', async () => {
      const missing = createAmqpDeadLetters({
        url: brokerUrl(),
        queues: ['test.none', deadQueue],
        clock: realClock,
      })
      await bury('a')
      for (let i = 0; i < 2; i++) {
        expect(await missing.list(10)).toMatchObject({
          queues: [{ name: 'test.none' }, { name: deadQueue, messages: 1 }],
          letters: [{ id: 'a' }],
        })
      }
      await missing.close()
    })
  })
}
