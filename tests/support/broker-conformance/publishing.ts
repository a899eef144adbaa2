import { describe, expect, test } from 'bun:test'
import type { AMQPChannel } from '@cloudamqp/amqp-client'
import { type BrokerUrl, consume, next, readyCount, refusalOf, scenes, send } from './scene.ts'

/** Routing, confirms, returns, and what arrives of a message. */
export function testPublishing(url: BrokerUrl): void {
  const scene = scenes(url)

  describe('routing', () => {
    const cases = [
      { name: 'a direct exchange to the queues bound with the same key', type: 'direct', keys: ['a', 'a.b'], hit: [1] },
      { name: 'a fanout exchange to all queues', type: 'fanout', keys: ['x', ''], hit: [0, 1] },
      { name: 'a topic exchange by pattern', type: 'topic', keys: ['a.*', '#', '*.b.#', 'a', '*'], hit: [0, 1, 2] },
    ]
    test.each(cases)('routes from $name', async ({ type, keys, hit }) => {
      const here = scene()
      const channel = await here.channel()
      const exchange = await here.exchange(channel, type)
      const queues: string[] = []
      for (const key of keys) {
        const queue = await here.queue(channel)
        await channel.queueBind(queue, exchange, key)
        queues.push(queue)
      }
      await channel.basicPublish(exchange, 'a.b', 'hello')
      const counts = await Promise.all(queues.map((queue) => readyCount(channel, queue)))
      expect(counts).toEqual(keys.map((_, index) => (hit.includes(index) ? 1 : 0)))
    })

    test('gives a queue one copy however many of its bindings match, and none after unbinding', async () => {
      const here = scene()
      const channel = await here.channel()
      const exchange = await here.exchange(channel, 'topic')
      const queue = await here.queue(channel)
      await channel.queueBind(queue, exchange, 'a.#')
      await channel.queueBind(queue, exchange, '*.b')
      await channel.queueBind(queue, exchange, '*.b')
      await channel.basicPublish(exchange, 'a.b', 'hello')
      expect(await readyCount(channel, queue)).toBe(1)

      await channel.queueUnbind(queue, exchange, 'a.#')
      await channel.queueUnbind(queue, exchange, '*.b')
      await channel.queueUnbind(queue, exchange, 'never-bound')
      await channel.basicPublish(exchange, 'a.b', 'hello')
      expect(await readyCount(channel, queue)).toBe(1)
    })
  })

  describe('publishing', () => {
    test('keeps every property and every octet of the body', async () => {
      const here = scene()
      const channel = await here.channel()
      const queue = await here.queue(channel)
      const body = Uint8Array.from({ length: 300_000 }, (_, index) => index % 251)
      const properties = {
        contentType: 'application/json',
        contentEncoding: 'identity',
        deliveryMode: 2,
        priority: 3,
        correlationId: 'correlation',
        replyTo: 'reply',
        messageId: 'message-1',
        timestamp: new Date(1_700_000_000_000),
        type: 'order.placed',
        appId: 'sluice',
        headers: {
          text: 'grüße',
          whole: -7,
          long: 2 ** 40,
          fraction: 1.5,
          yes: true,
          nothing: null,
          when: new Date(1_700_000_000_000),
          list: [1, 'two', [3]],
          nested: { deep: { deeper: 'x' } },
        },
      }
      await channel.basicPublish('', queue, body, properties)
      const message = await next(channel, queue)
      expect(message.properties).toEqual(properties)
      expect(message.body).toEqual(body)
      expect({ exchange: message.exchange, key: message.routingKey }).toEqual({ exchange: '', key: queue })
      expect(message.redelivered).toBe(false)
    })

    test('takes an empty body', async () => {
      const here = scene()
      const channel = await here.channel()
      const queue = await here.queue(channel)
      await send(channel, queue, '', 'after')
      const inbox = await consume(channel, queue)
      await inbox.has(2)
      expect(inbox.texts()).toEqual(['', 'after'])
    })

    test('confirms every message once, and also one that no queue wants', async () => {
      const here = scene()
      const channel = await here.channel()
      const queue = await here.queue(channel)
      const tags = await Promise.all(
        Array.from({ length: 500 }, (_, index) => channel.basicPublish('', index % 2 ? queue : 'nobody', `${index}`)),
      )
      expect(tags).toEqual(Array.from({ length: 500 }, (_, index) => index + 1))
      expect(await readyCount(channel, queue)).toBe(250)
    })

    test('confirms bursts of two channels message for message, several at once where it likes', async () => {
      const here = scene()
      const channels = [await here.channel(), await here.channel()]
      const queue = await here.queue(channels[0] as AMQPChannel)
      for (const channel of channels) {
        const unconfirmed = new Set(Array.from({ length: 200 }, (_, index) => index + 1))
        const repeated: number[] = []
        const confirm = channel.publishConfirmed.bind(channel)
        channel.publishConfirmed = (tag, multiple, nack) => {
          const told = multiple ? [...unconfirmed].filter((open) => open <= tag) : [tag]
          for (const open of told) if (nack || !unconfirmed.delete(open)) repeated.push(open)
          confirm(tag, multiple, nack)
        }
        const burst = [...unconfirmed].map((tag) => {
          const target = tag % 3 ? queue : 'nobody'
          return channel.basicPublish('', target, `${tag}`, { deliveryMode: tag % 2 ? 2 : 1 })
        })
        await Promise.all(burst)
        expect({ unconfirmed: unconfirmed.size, repeated }).toEqual({ unconfirmed: 0, repeated: [] })
      }
      expect(await readyCount(channels[0] as AMQPChannel, queue)).toBe(268)
    })

    test('returns a mandatory message that no queue wants, and only then confirms it', async () => {
      const here = scene()
      const channel = await here.channel()
      const queue = await here.queue(channel)
      const events: unknown[] = []
      channel.onReturn = ({ replyCode, replyText, exchange, routingKey, ...message }) => {
        events.push({ replyCode, replyText, exchange, routingKey, id: message.properties.messageId })
      }
      // The client's promise settles later than its callback runs, so the order is only seen here.
      const confirm = channel.publishConfirmed.bind(channel)
      channel.publishConfirmed = (...values) => {
        events.push('confirmed')
        confirm(...values)
      }
      await channel.basicPublish('amq.topic', 'no.where', 'lost', { messageId: 'm' }, true)
      await channel.basicPublish('', queue, 'routed', {}, true)
      expect(events).toEqual([
        { replyCode: 312, replyText: 'NO_ROUTE', exchange: 'amq.topic', routingKey: 'no.where', id: 'm' },
        'confirmed',
        'confirmed',
      ])
    })

    test('refuses with a nack what does not fit a queue that rejects when full', async () => {
      const here = scene()
      const channel = await here.channel()
      const queue = await here.queue(channel, { 'x-max-length': 1, 'x-overflow': 'reject-publish' })
      await send(channel, queue, 'first')
      expect(await refusalOf(channel.basicPublish('', queue, 'second'))).toBe('Message rejected')
      expect((await next(channel, queue)).bodyString()).toBe('first')
      await send(channel, queue, 'third')
      expect((await next(channel, queue)).bodyString()).toBe('third')
    })

    test('closes the channel with 404 when the exchange does not exist, and leaves the connection open', async () => {
      const here = scene()
      const channel = await here.channel()
      expect(await refusalOf(channel.basicPublish(here.name(), 'key', 'lost'))).toContain('404')
      const other = await channel.connection.channel()
      const queue = await here.queue(other)
      await other.basicPublish('', queue, 'alive')
      expect((await next(other, queue)).bodyString()).toBe('alive')
    })

    test('refuses an expiration that is no number with 406', async () => {
      const here = scene()
      const channel = await here.channel()
      const queue = await here.queue(channel)
      const refusal = await refusalOf(channel.basicPublish('', queue, 'x', { expiration: 'soon' }))
      expect(refusal).toContain('406')
    })

    test('closes the connection with 540 for immediate', async () => {
      const here = scene()
      const channel = await here.channel()
      const queue = await here.queue(channel)
      expect(await refusalOf(channel.basicPublish('', queue, 'x', {}, false, true))).toContain('540')
      expect(channel.connection.closed).toBe(true)
    })
  })
}
