import { describe, expect, test } from 'bun:test'
import type { AMQPChannel } from '@cloudamqp/amqp-client'
import { type BrokerUrl, consume, eventually, next, readyCount, refusalOf, type Scene, scenes } from './scene.ts'

interface EventQueues {
  readonly events: string
  readonly work: string
  readonly retry: string
  readonly deadLetters: string
  /** Declares all of it, again if need be. */
  declare(channel: AMQPChannel): Promise<void>
}

const RETRY_MS = 40

/** An exchange of events, one consumer's queue, its delay queue and the dead letters, as `docs/events.md` has them. */
function eventQueues(here: Scene): EventQueues {
  const [events, work, retry, deadLetters] = [here.name(), here.name(), here.name(), here.name()]
  const safe = { 'x-queue-type': 'quorum', 'x-dead-letter-strategy': 'at-least-once', 'x-overflow': 'reject-publish' }
  return {
    events,
    work,
    retry,
    deadLetters,
    async declare(channel) {
      await channel.exchangeDeclare(events, 'topic', { durable: true })
      await channel.exchangeDeclare(deadLetters, 'topic', { durable: true })
      await channel.queueDeclare(deadLetters, { durable: true }, { 'x-queue-type': 'quorum' })
      await channel.queueBind(deadLetters, deadLetters, '#')
      const toDeadLetters = { 'x-dead-letter-exchange': deadLetters, 'x-dead-letter-routing-key': work }
      await channel.queueDeclare(work, { durable: true }, { ...safe, 'x-delivery-limit': 2, ...toDeadLetters })
      await channel.queueBind(work, events, 'order.placed')
      const backToWork = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': work }
      await channel.queueDeclare(retry, { durable: true }, { ...safe, 'x-message-ttl': RETRY_MS, ...backToWork })
    },
  }
}

/** Quorum queues with at-least-once dead letters, delays and limits, as the consumers of order events use them. */
export function testEventTopology(url: BrokerUrl): void {
  const scene = scenes(url)

  describe('event queues', () => {
    test('can be declared twice, and not otherwise', async () => {
      const here = scene()
      const channel = await here.channel()
      const queues = eventQueues(here)
      await queues.declare(channel)
      await queues.declare(channel)
      const weaker = { 'x-queue-type': 'quorum', 'x-overflow': 'reject-publish', 'x-message-ttl': RETRY_MS }
      expect(await refusalOf(channel.queueDeclare(queues.retry, { durable: true }, weaker))).toContain('406')
    })

    test('take a message round the delay queue with its headers, and mark it as new each time', async () => {
      const here = scene()
      const channel = await here.channel()
      const queues = eventQueues(here)
      await queues.declare(channel)
      const inbox = await consume(channel, queues.work)
      await channel.basicPublish(queues.events, 'order.placed', 'job', { messageId: 'e1', deliveryMode: 2 })
      for (let attempt = 1; attempt <= 3; attempt += 1) {
        await inbox.has(attempt)
        const headers = { 'x-attempts': attempt }
        const sentAtMs = Date.now()
        await channel.basicPublish('', queues.retry, 'job', { messageId: 'e1', deliveryMode: 2, headers })
        await inbox.messages[attempt - 1]?.ack()
        await inbox.has(attempt + 1)
        expect(Date.now() - sentAtMs).toBeGreaterThanOrEqual(RETRY_MS - 1)
      }
      const told = inbox.messages.map(({ redelivered, properties: { messageId, headers } }) => {
        return [messageId, redelivered, headers?.['x-attempts'], headers?.['x-first-death-reason']]
      })
      expect(told).toEqual([
        ['e1', false, undefined, undefined],
        ['e1', false, 1, 'expired'],
        ['e1', false, 2, 'expired'],
        ['e1', false, 3, 'expired'],
      ])
    })

    test('count what comes back, dead-letter it once beyond the limit, and take it again from there', async () => {
      const here = scene()
      const channel = await here.channel()
      const queues = eventQueues(here)
      await queues.declare(channel)
      const seen: unknown[] = []
      const { tag } = await channel.basicConsume(queues.work, { noAck: false }, async (message) => {
        seen.push([message.redelivered, message.properties.headers?.['x-delivery-count'] ?? 0])
        await message.nack(true)
      })
      await channel.basicPublish(queues.events, 'order.placed', 'poison', { messageId: 'e2' })
      const letter = await next(channel, queues.deadLetters)
      expect(seen).toEqual([
        [false, 0],
        [true, 1],
        [true, 2],
      ])
      expect([letter.exchange, letter.routingKey, letter.properties.headers?.['x-first-death-reason']]).toEqual([
        queues.deadLetters,
        queues.work,
        'delivery_limit',
      ])
      expect(await readyCount(channel, queues.deadLetters)).toBe(0)

      await channel.basicCancel(tag)
      await channel.basicPublish('', letter.routingKey, letter.bodyString() ?? '', letter.properties)
      expect((await next(channel, queues.work)).bodyString()).toBe('poison')
    })

    test('tell their consumer when they are deleted under it, and let it settle what it has', async () => {
      const here = scene()
      const channel = await here.channel()
      const queues = eventQueues(here)
      await queues.declare(channel)
      const inbox = await consume(channel, queues.work)
      await channel.basicPublish(queues.events, 'order.placed', 'job')
      await inbox.has(1)
      const other = await here.channel()
      await other.queueDelete(queues.work)
      await eventually('the consumer is told', () => !channel.consumers.has(inbox.tag))
      await inbox.messages[0]?.ack()
      expect(await readyCount(channel, queues.deadLetters)).toBe(0)
    })
  })
}
