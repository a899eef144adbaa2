import { describe, expect, test } from 'bun:test'
import type { AMQPChannel, AMQPMessage } from '@cloudamqp/amqp-client'
import { type BrokerUrl, consume, eventually, next, readyCount, type Scene, scenes, send } from './scene.ts'

interface Grave {
  /** A queue whose dead letters go to `grave`. */
  readonly queue: string
  readonly exchange: string
  readonly grave: string
}

/** Declares a queue with the given arguments whose dead letters arrive in another queue. */
async function withGrave(here: Scene, channel: AMQPChannel, table: Record<string, unknown>): Promise<Grave> {
  const exchange = await here.exchange(channel, 'topic')
  const grave = await here.queue(channel)
  await channel.queueBind(grave, exchange, '#')
  return { exchange, grave, queue: await here.queue(channel, { 'x-dead-letter-exchange': exchange, ...table }) }
}

type Death = Record<string, unknown>

function deathsOf(message: AMQPMessage | undefined): Death[] {
  const deaths = message?.properties.headers?.['x-death'] as Death[] | undefined
  return (deaths ?? []).map(({ time, ...death }) => ({ ...death, hasTime: time instanceof Date }))
}

/** Expiry, dead letters, retries and their limits. */
export function testDeadLetters(url: BrokerUrl): void {
  const scene = scenes(url)

  describe('dead letters', () => {
    test('carry their story when a message is rejected', async () => {
      const here = scene()
      const channel = await here.channel()
      const { queue, grave, exchange } = await withGrave(here, channel, {})
      await channel.basicPublish('', queue, 'bad', { messageId: 'm', headers: { keep: 'this' } })
      await (await channel.basicGet(queue, { noAck: false }))?.reject(false)
      const letter = await next(channel, grave)
      expect({ text: letter.bodyString(), from: letter.exchange, key: letter.routingKey }).toEqual({
        text: 'bad',
        from: exchange,
        key: queue,
      })
      expect(letter.properties).toMatchObject({
        messageId: 'm',
        headers: {
          keep: 'this',
          'x-first-death-exchange': '',
          'x-first-death-queue': queue,
          'x-first-death-reason': 'rejected',
        },
      })
      expect(deathsOf(letter)).toEqual([
        { count: 1, reason: 'rejected', queue, exchange: '', 'routing-keys': [queue], hasTime: true },
      ])
    })

    test('follow the time to live of the queue, under the key it asks for', async () => {
      const here = scene()
      const channel = await here.channel()
      const table = { 'x-message-ttl': 30, 'x-dead-letter-routing-key': 'late' }
      const { queue, grave } = await withGrave(here, channel, table)
      await send(channel, queue, 'a', 'b')
      const letters = [await next(channel, grave), await next(channel, grave)]
      expect(letters.map((letter) => letter.bodyString())).toEqual(['a', 'b'])
      expect(letters.map((letter) => [letter.routingKey, deathsOf(letter)[0]?.reason])).toEqual([
        ['late', 'expired'],
        ['late', 'expired'],
      ])
      expect(await readyCount(channel, queue)).toBe(0)
    })

    test('follow the expiration of the message, which they no longer have', async () => {
      const here = scene()
      const channel = await here.channel()
      const { queue, grave } = await withGrave(here, channel, { 'x-message-ttl': 60_000 })
      await channel.basicPublish('', queue, 'brief', { expiration: '20' })
      const letter = await next(channel, grave)
      expect(letter.properties.expiration).toBeUndefined()
      expect(deathsOf(letter)).toEqual([
        {
          count: 1,
          reason: 'expired',
          queue,
          exchange: '',
          'routing-keys': [queue],
          'original-expiration': '20',
          hasTime: true,
        },
      ])
    })

    test('leave a full queue oldest first', async () => {
      const here = scene()
      const channel = await here.channel()
      const { queue, grave } = await withGrave(here, channel, { 'x-max-length': 2 })
      await send(channel, queue, 'a', 'b', 'c')
      const letter = await next(channel, grave)
      expect([letter.bodyString(), deathsOf(letter)[0]?.reason]).toEqual(['a', 'maxlen'])
      expect((await next(channel, queue)).bodyString()).toBe('b')
    })

    test('come from a quorum queue after one delivery more than its limit, counted for the consumer', async () => {
      const here = scene()
      const channel = await here.channel()
      const table = { 'x-queue-type': 'quorum', 'x-delivery-limit': 3 }
      const { queue, grave } = await withGrave(here, channel, table)
      const counts: unknown[] = []
      await channel.basicConsume(queue, { noAck: false }, async (message) => {
        counts.push(message.properties.headers?.['x-delivery-count'] ?? 0)
        await message.nack(true)
      })
      await send(channel, queue, 'poison')
      const letter = await next(channel, grave)
      expect(counts).toEqual([0, 1, 2, 3])
      expect([letter.bodyString(), deathsOf(letter)[0]?.reason]).toEqual(['poison', 'delivery_limit'])
    })

    test('come back for a retry after a delay, and count their rounds', async () => {
      const here = scene()
      const channel = await here.channel()
      const work = here.name()
      const retry = await here.queue(channel, {
        'x-message-ttl': 20,
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': work,
      })
      const table = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': retry }
      await channel.queueDeclare(work, { durable: true }, table)
      const inbox = await consume(channel, work)
      await send(channel, work, 'job')
      for (let round = 1; round <= 3; round += 1) {
        await inbox.has(round)
        await inbox.messages[round - 1]?.reject(false)
      }
      await inbox.has(4)
      const told = deathsOf(inbox.messages[3]).map(({ queue, reason, count }) => [queue, reason, count])
      expect(told).toEqual([
        [retry, 'expired', 3],
        [work, 'rejected', 3],
      ])
    })

    test('do not turn in circles that nobody rejects', async () => {
      const here = scene()
      const channel = await here.channel()
      const [first, second] = [here.name(), here.name()]
      const towards = (queue: string) => ({
        'x-message-ttl': 10,
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': queue,
      })
      const watch = await here.queue(channel, { 'x-message-ttl': 500, 'x-dead-letter-exchange': '' })
      await channel.queueDeclare(first, { durable: true }, towards(second))
      await channel.queueDeclare(second, { durable: true }, towards(first))
      await send(channel, first, 'dizzy')
      await send(channel, watch, 'later')
      const isEmpty = async () => {
        const counts = await Promise.all([first, second, watch].map((queue) => readyCount(channel, queue)))
        return counts.every((count) => count === 0)
      }
      await eventually('the circle is broken', isEmpty)
      expect(await isEmpty()).toBe(true)
    })

    test('vanish when their exchange does not exist', async () => {
      const here = scene()
      const channel = await here.channel()
      const queue = await here.queue(channel, { 'x-dead-letter-exchange': here.name() })
      await send(channel, queue, 'a')
      await (await channel.basicGet(queue, { noAck: false }))?.reject(false)
      await send(channel, queue, 'b')
      expect((await next(channel, queue)).bodyString()).toBe('b')
      expect(channel.closed).toBe(false)
    })
  })
}
