import { describe, expect, test } from 'bun:test'
import { type BrokerUrl, consume, eventually, next, readyCount, refusalOf, scenes, send } from './scene.ts'

/** Consuming, settling, prefetch, and what happens to messages whose consumer goes away. */
export function testDelivery(url: BrokerUrl): void {
  const scene = scenes(url)

  describe('delivery', () => {
    test('hands messages out in the order they were published, with get and its count', async () => {
      const here = scene()
      const channel = await here.channel()
      const queue = await here.queue(channel)
      await send(channel, queue, 'a', 'b', 'c')
      const got = [await next(channel, queue), await next(channel, queue), await next(channel, queue)]
      expect(got.map((message) => message.bodyString())).toEqual(['a', 'b', 'c'])
      expect(got.map((message) => message.messageCount)).toEqual([2, 1, 0])
      expect(await channel.basicGet(queue)).toBeNull()
    })

    test('delivers to waiting consumers what is published later', async () => {
      const here = scene()
      const channel = await here.channel()
      const queue = await here.queue(channel)
      const inbox = await consume(channel, queue, { noAck: true })
      await send(channel, queue, 'a', 'b')
      await inbox.has(2)
      expect(inbox.texts()).toEqual(['a', 'b'])
    })

    test('keeps at most prefetch messages with a consumer and sends more as it acknowledges', async () => {
      const here = scene()
      const channel = await here.channel()
      const queue = await here.queue(channel)
      await send(channel, queue, 'a', 'b', 'c', 'd', 'e')
      await channel.prefetch(2)
      const inbox = await consume(channel, queue)
      await inbox.has(2)
      await eventually('three left', async () => (await readyCount(channel, queue)) === 3)
      expect(inbox.texts()).toEqual(['a', 'b'])

      await inbox.messages[1]?.ack()
      await inbox.has(3)
      await inbox.messages[2]?.ack(true)
      await inbox.has(5)
      expect(inbox.texts()).toEqual(['a', 'b', 'c', 'd', 'e'])
    })

    test('counts prefetch over all consumers of the channel when it is global', async () => {
      const here = scene()
      const channel = await here.channel()
      const queues = [await here.queue(channel), await here.queue(channel)] as const
      for (const queue of queues) await send(channel, queue, 'a', 'b')
      await channel.basicQos(1, 0, true)
      const inboxes = [await consume(channel, queues[0]), await consume(channel, queues[1])] as const
      await inboxes[0].has(1)
      await eventually('one left in the first', async () => (await readyCount(channel, queues[0])) === 1)
      expect([await readyCount(channel, queues[1]), inboxes[1].messages.length]).toEqual([2, 0])
      await channel.basicCancel(inboxes[0].tag)
      await inboxes[0].messages[0]?.ack()
      await inboxes[1].has(1)
      expect(inboxes[1].texts()).toEqual(['a'])
    })

    test('shares a queue fairly: a busy consumer does not hold up an idle one', async () => {
      const here = scene()
      const busy = await here.channel()
      const idle = await here.channel()
      const queue = await here.queue(busy)
      await busy.prefetch(1)
      await idle.prefetch(1)
      const stuck = await consume(busy, queue)
      await send(busy, queue, 'stuck')
      await stuck.has(1)
      const seen: (string | null)[] = []
      await idle.basicConsume(queue, { noAck: false }, async (message) => {
        seen.push(message.bodyString())
        await message.ack()
      })
      await send(busy, queue, '1', '2', '3', '4')
      await eventually('the idle consumer has all', () => seen.length === 4)
      expect(seen).toEqual(['1', '2', '3', '4'])
      expect(stuck.texts()).toEqual(['stuck'])
    })

    test('gives consumers that wait for more their turn one after the other', async () => {
      const here = scene()
      const channel = await here.channel()
      const queue = await here.queue(channel)
      const inboxes = [await consume(channel, queue), await consume(channel, queue)] as const
      await send(channel, queue, '1', '2', '3', '4')
      await eventually('all are out', () => inboxes[0].messages.length + inboxes[1].messages.length === 4)
      expect(inboxes.map((inbox) => inbox.texts())).toEqual([
        ['1', '3'],
        ['2', '4'],
      ])
    })

    test('stops after cancel and keeps what was delivered until it is settled', async () => {
      const here = scene()
      const channel = await here.channel()
      const queue = await here.queue(channel)
      const inbox = await consume(channel, queue)
      await send(channel, queue, 'before')
      await inbox.has(1)
      await channel.basicCancel(inbox.tag)
      await send(channel, queue, 'after')
      expect(await readyCount(channel, queue)).toBe(1)
      await inbox.messages[0]?.ack()
      expect((await next(channel, queue)).bodyString()).toBe('after')
      expect(inbox.texts()).toEqual(['before'])
    })
  })

  describe('settling', () => {
    test('puts unsettled messages back in their old place, marked as redelivered, when the channel closes', async () => {
      const here = scene()
      const channel = await here.channel()
      const queue = await here.queue(channel)
      await send(channel, queue, 'a', 'b', 'c', 'd', 'e')
      const doomed = await channel.connection.channel()
      await doomed.prefetch(3)
      const inbox = await consume(doomed, queue)
      await inbox.has(3)
      await inbox.messages[1]?.ack()
      await inbox.has(4)
      await doomed.close()

      await eventually('all back', async () => (await readyCount(channel, queue)) === 4)
      const again = await consume(channel, queue)
      await again.has(4)
      expect(again.texts()).toEqual(['a', 'c', 'd', 'e'])
      expect(again.messages.map((message) => message.redelivered)).toEqual([true, true, true, false])
    })

    test('puts unsettled messages back when the connection closes', async () => {
      const here = scene()
      const channel = await here.channel()
      const queue = await here.queue(channel)
      await send(channel, queue, 'a', 'b')
      const doomed = await here.channel()
      const inbox = await consume(doomed, queue)
      await inbox.has(2)
      await doomed.connection.close()
      await eventually('both back', async () => (await readyCount(channel, queue)) === 2)
      const got = [await next(channel, queue), await next(channel, queue)]
      expect(got.map((message) => [message.bodyString(), message.redelivered])).toEqual([
        ['a', true],
        ['b', true],
      ])
    })

    test('puts a message back in its old place on nack with requeue', async () => {
      const here = scene()
      const channel = await here.channel()
      const queue = await here.queue(channel)
      await send(channel, queue, 'a', 'b', 'c')
      const first = await channel.basicGet(queue, { noAck: false })
      const second = await channel.basicGet(queue, { noAck: false })
      await second?.nack(true)
      await first?.reject(true)
      await eventually('all back', async () => (await readyCount(channel, queue)) === 3)
      const got = [await next(channel, queue), await next(channel, queue), await next(channel, queue)]
      expect(got.map((message) => [message.bodyString(), message.redelivered])).toEqual([
        ['a', true],
        ['b', true],
        ['c', false],
      ])
    })

    test('takes everything up to a tag with multiple, and all with tag 0', async () => {
      const here = scene()
      const channel = await here.channel()
      const queue = await here.queue(channel)
      await send(channel, queue, 'a', 'b', 'c', 'd')
      const inbox = await consume(channel, queue)
      await inbox.has(4)
      await channel.basicCancel(inbox.tag)
      await inbox.messages[1]?.ack(true)
      await channel.basicNack(0, true, true)
      await eventually('two back', async () => (await readyCount(channel, queue)) === 2)
      expect((await next(channel, queue)).bodyString()).toBe('c')
    })

    test('redelivers what is not settled on recover', async () => {
      const here = scene()
      const channel = await here.channel()
      const queue = await here.queue(channel)
      await send(channel, queue, 'a')
      await channel.basicGet(queue, { noAck: false })
      await channel.basicRecover(true)
      expect((await next(channel, queue)).redelivered).toBe(true)
    })

    const mistakes = [
      { name: 'the same tag twice', tags: [1, 1] },
      { name: 'a tag that never was', tags: [9] },
    ]
    test.each(mistakes)('closes the channel with 406 for $name', async ({ tags }) => {
      const here = scene()
      const channel = await here.channel()
      const queue = await here.queue(channel)
      await send(channel, queue, 'a')
      await channel.basicGet(queue, { noAck: false })
      for (const tag of tags) await channel.basicAck(tag)
      expect(await refusalOf(readyCount(channel, queue))).toContain('406')
    })

    test('forgets messages delivered without acknowledgement at once', async () => {
      const here = scene()
      const channel = await here.channel()
      const queue = await here.queue(channel)
      await send(channel, queue, 'a')
      const doomed = await here.channel()
      const inbox = await consume(doomed, queue, { noAck: true })
      await inbox.has(1)
      await doomed.connection.close()
      expect(await channel.basicGet(queue)).toBeNull()
    })
  })
}
