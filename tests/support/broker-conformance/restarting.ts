import { describe, expect, test } from 'bun:test'
import { type BrokerUrl, consume, next, readyCount, refusalOf, scenes, send } from './scene.ts'

/** Stops the broker in good order and starts it again at the same address. */
export type Restart = () => Promise<void>

const RESTART_TIMEOUT_MS = 90_000

/** What outlives the broker. */
export function testRestarting(url: BrokerUrl, restart: Restart): void {
  const scene = scenes(url)

  describe('restarting', () => {
    test(
      'keeps durable exchanges, queues, bindings and their persistent messages, in order, and nothing else',
      async () => {
        const here = scene()
        const channel = await here.channel()
        const exchange = await here.exchange(channel, 'topic')
        const durable = await here.queue(channel)
        const quorum = await here.queue(channel, { 'x-queue-type': 'quorum' })
        const { name: transient } = await channel.queueDeclare(here.name(), { durable: false, autoDelete: false })
        const { name: exclusive } = await channel.queueDeclare(here.name(), { durable: true, exclusive: true })
        const passing = here.name()
        await channel.exchangeDeclare(passing, 'fanout', { durable: false })
        for (const queue of [durable, quorum, transient]) await channel.queueBind(queue, exchange, 'a.#')
        await channel.queueBind(durable, exchange, 'gone.#')
        await channel.queueUnbind(durable, exchange, 'gone.#')
        const deliveryMode = 2
        for (const text of ['1', '2', '3']) await channel.basicPublish(exchange, 'a.b', text, { deliveryMode })
        await channel.basicPublish(exchange, 'a.b', 'passing', { deliveryMode: 1 })
        expect((await next(channel, durable)).bodyString()).toBe('1')

        await restart()
        const after = await here.channel()
        await after.basicPublish(exchange, 'a.b', 'later', { deliveryMode })
        await after.basicPublish(exchange, 'gone.away', 'not bound', { deliveryMode })
        const left = async (queue: string) => {
          const inbox = await consume(after, queue)
          await inbox.has(await readyCount(after, queue))
          return inbox
        }
        const inbox = await left(durable)
        await inbox.has(3)
        expect(inbox.texts()).toEqual(['2', '3', 'later'])
        expect(inbox.messages.map(({ redelivered }) => redelivered)).toEqual([false, false, false])
        const fromQuorum = await left(quorum)
        await fromQuorum.has(5)
        expect(fromQuorum.texts()).toEqual(['1', '2', '3', 'passing', 'later'])
        for (const queue of [transient, exclusive]) {
          expect(await refusalOf((await here.channel()).queueDeclare(queue, { passive: true }))).toContain('404')
        }
        const again = (await here.channel()).exchangeDeclare(passing, 'fanout', { passive: true })
        expect(await refusalOf(again)).toContain('404')
      },
      RESTART_TIMEOUT_MS,
    )

    test(
      'keeps what a queue is declared as',
      async () => {
        const here = scene()
        const channel = await here.channel()
        const table = { 'x-message-ttl': 60_000, 'x-dead-letter-exchange': '', 'x-max-length': 9 }
        const queue = await here.queue(channel, table)
        await restart()
        const after = await here.channel()
        expect((await after.queueDeclare(queue, { durable: true }, table)).messageCount).toBe(0)
        const other = { ...table, 'x-dead-letter-routing-key': 'more than before' }
        expect(await refusalOf(after.queueDeclare(queue, { durable: true }, other))).toContain('406')
      },
      RESTART_TIMEOUT_MS,
    )

    test(
      'marks what was delivered before as redelivered, and counts on how often it came back',
      async () => {
        const here = scene()
        const channel = await here.channel()
        const classic = await here.queue(channel)
        const quorum = await here.queue(channel, { 'x-queue-type': 'quorum', 'x-delivery-limit': 5 })
        await send(channel, classic, 'delivered', 'new')
        await send(channel, quorum, 'again')
        await channel.basicGet(classic, { noAck: false })
        for (let i = 0; i < 2; i += 1) await (await channel.basicGet(quorum, { noAck: false }))?.nack(true)

        await restart()
        const after = await here.channel()
        const [first, second] = [await next(after, classic), await next(after, classic)]
        expect([first, second].map((message) => [message.bodyString(), message.redelivered])).toEqual([
          ['delivered', true],
          ['new', false],
        ])
        const counted = await next(after, quorum)
        expect([counted.redelivered, counted.properties.headers?.['x-delivery-count']]).toEqual([true, 2])
      },
      RESTART_TIMEOUT_MS,
    )

    test(
      'lets time run on: what expires meanwhile is dead-lettered once',
      async () => {
        const here = scene()
        const channel = await here.channel()
        const grave = await here.queue(channel)
        const towards = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': grave }
        const brief = await here.queue(channel, { 'x-message-ttl': 300, ...towards })
        const long = await here.queue(channel, { 'x-message-ttl': 600_000, ...towards })
        await send(channel, long, 'waits')
        await send(channel, brief, 'expires')
        await restart()
        const after = await here.channel()
        expect((await next(after, grave)).bodyString()).toBe('expires')
        expect([await readyCount(after, brief), await readyCount(after, grave)]).toEqual([0, 0])
        expect((await next(after, long)).bodyString()).toBe('waits')
      },
      RESTART_TIMEOUT_MS,
    )
  })
}
