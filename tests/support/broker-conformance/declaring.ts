import { describe, expect, test } from 'bun:test'
import type { AMQPChannel } from '@cloudamqp/amqp-client'
import { type BrokerUrl, consume, eventually, readyCount, refusalOf, type Scene, scenes, send } from './scene.ts'

interface Refusal {
  readonly name: string
  readonly code: string
  readonly attempt: (channel: AMQPChannel, here: Scene) => Promise<unknown>
}

const REFUSALS: readonly Refusal[] = [
  {
    name: 'a queue again with another argument',
    code: '406',
    attempt: async (channel, here) => {
      const queue = await here.queue(channel, { 'x-message-ttl': 1_000 })
      return channel.queueDeclare(queue, { durable: true }, { 'x-message-ttl': 2_000 })
    },
  },
  {
    name: 'a queue again without durable',
    code: '406',
    attempt: async (channel, here) => channel.queueDeclare(await here.queue(channel), { durable: false }),
  },
  {
    name: 'an exchange again with another type',
    code: '406',
    attempt: async (channel, here) => channel.exchangeDeclare(await here.exchange(channel, 'topic'), 'direct'),
  },
  {
    name: 'passively a queue that does not exist',
    code: '404',
    attempt: (channel, here) => channel.queueDeclare(here.name(), { passive: true }),
  },
  {
    name: 'passively an exchange that does not exist',
    code: '404',
    attempt: (channel, here) => channel.exchangeDeclare(here.name(), 'topic', { passive: true }),
  },
  {
    name: 'a queue with a reserved name',
    code: '403',
    attempt: (channel, here) => channel.queueDeclare(`amq.${here.name()}`),
  },
  {
    name: 'a time to live below zero',
    code: '406',
    attempt: (channel, here) => channel.queueDeclare(here.name(), {}, { 'x-message-ttl': -1 }),
  },
  {
    name: 'a dead letter key without a dead letter exchange',
    code: '406',
    attempt: (channel, here) => channel.queueDeclare(here.name(), {}, { 'x-dead-letter-routing-key': 'k' }),
  },
  {
    name: 'a delivery limit on a classic queue',
    code: '406',
    attempt: (channel, here) => channel.queueDeclare(here.name(), {}, { 'x-delivery-limit': 3 }),
  },
  {
    name: 'a dead letter strategy on a classic queue',
    code: '406',
    attempt: (channel, here) => channel.queueDeclare(here.name(), {}, { 'x-dead-letter-strategy': 'at-least-once' }),
  },
  {
    name: 'a dead letter strategy nobody knows',
    code: '406',
    attempt: (channel, here) => {
      const table = { 'x-queue-type': 'quorum', 'x-dead-letter-strategy': 'never' }
      return channel.queueDeclare(here.name(), { durable: true }, table)
    },
  },
  {
    name: 'a binding to an exchange that does not exist',
    code: '404',
    attempt: async (channel, here) => channel.queueBind(await here.queue(channel), here.name(), 'k'),
  },
  {
    name: 'a binding to the default exchange',
    code: '403',
    attempt: async (channel, here) => channel.queueBind(await here.queue(channel), '', 'k'),
  },
  {
    name: 'a consumer of a queue that does not exist',
    code: '404',
    attempt: (channel, here) => channel.basicConsume(here.name(), {}, () => {}),
  },
  {
    name: 'a second consumer beside an exclusive one',
    code: '403',
    attempt: async (channel, here) => {
      const queue = await here.queue(channel)
      await channel.basicConsume(queue, { exclusive: true }, () => {})
      return channel.basicConsume(queue, {}, () => {})
    },
  },
  {
    name: 'the deletion of a queue in use, if unused',
    code: '406',
    attempt: async (channel, here) => {
      const queue = await here.queue(channel)
      await consume(channel, queue)
      return channel.queueDelete(queue, { ifUnused: true })
    },
  },
  {
    name: 'the deletion of a queue with messages, if empty',
    code: '406',
    attempt: async (channel, here) => {
      const queue = await here.queue(channel)
      await send(channel, queue, 'a')
      return channel.queueDelete(queue, { ifEmpty: true })
    },
  },
  {
    name: 'the deletion of an exchange with bindings, if unused',
    code: '406',
    attempt: async (channel, here) => {
      const exchange = await here.exchange(channel, 'fanout')
      await channel.queueBind(await here.queue(channel), exchange, '')
      return channel.exchangeDelete(exchange, { ifUnused: true })
    },
  },
  {
    name: 'the exclusive queue of another connection',
    code: '405',
    attempt: async (channel, here) => {
      const owner = await here.channel()
      const { name } = await owner.queueDeclare('', { exclusive: true })
      return channel.queueDeclare(name, { passive: true })
    },
  },
]

/** Declaring, deleting, and what is refused. */
export function testDeclaring(url: BrokerUrl): void {
  const scene = scenes(url)

  describe('declaring', () => {
    test.each([...REFUSALS])('refuses $name and closes only the channel', async ({ code, attempt }) => {
      const here = scene()
      const channel = await here.channel()
      expect(await refusalOf(attempt(channel, here))).toContain(code)
      const other = await channel.connection.channel()
      expect(await readyCount(other, await here.queue(other))).toBe(0)
    })

    test('takes the same declaration twice and keeps the messages', async () => {
      const here = scene()
      const channel = await here.channel()
      const table = { 'x-message-ttl': 60_000, 'x-dead-letter-exchange': 'amq.topic', 'x-queue-type': 'classic' }
      const queue = await here.queue(channel, table)
      await send(channel, queue, 'a', 'b')
      const again = await channel.queueDeclare(queue, { durable: true }, table)
      expect(again).toEqual({ name: queue, messageCount: 2, consumerCount: 0 })
    })

    test('names a queue when asked to, and lets its connection alone use it until that closes', async () => {
      const here = scene()
      const owner = await here.channel()
      const other = await here.channel()
      const { name } = await owner.queueDeclare('', { exclusive: true, durable: false })
      expect(name).toStartWith('amq.gen-')
      await owner.connection.close()
      const gone = async () =>
        (await refusalOf(other.connection.channel().then((c) => readyCount(c, name)))).includes('404')
      await eventually('the exclusive queue is gone', gone)
      expect(await gone()).toBe(true)
    })

    test('deletes an auto-delete queue with its last consumer', async () => {
      const here = scene()
      const channel = await here.channel()
      const { name } = await channel.queueDeclare(here.name(), { autoDelete: true, durable: false })
      const first = await consume(channel, name)
      const second = await consume(channel, name)
      await channel.basicCancel(first.tag)
      expect(await readyCount(channel, name)).toBe(0)
      await channel.basicCancel(second.tag)
      const gone = async () =>
        (await refusalOf(channel.connection.channel().then((c) => readyCount(c, name)))).includes('404')
      await eventually('the auto-delete queue is gone', gone)
      expect(await gone()).toBe(true)
    })

    test('tells the consumers of a queue that is deleted, and counts what is purged and deleted', async () => {
      const here = scene()
      const channel = await here.channel()
      const queue = await here.queue(channel)
      await send(channel, queue, 'a', 'b')
      expect(await channel.queuePurge(queue)).toEqual({ messageCount: 2 })
      await send(channel, queue, 'c')
      await channel.prefetch(1)
      const inbox = await consume(channel, queue)
      await inbox.has(1)
      await send(channel, queue, 'd')
      expect(await channel.queueDelete(queue)).toEqual({ messageCount: 1 })
      await eventually('the consumer is told', () => !channel.consumers.has(inbox.tag))
      expect(await channel.queueDelete(queue)).toEqual({ messageCount: 0 })
    })

    test('knows only its virtual hosts', async () => {
      expect(await refusalOf(scene().connect('/nowhere'))).toContain('530')
    })
  })
}
