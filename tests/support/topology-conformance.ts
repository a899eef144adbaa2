import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { type AMQPBaseClient, type AMQPChannel, AMQPClient, type AMQPMessage } from '@cloudamqp/amqp-client'
import type { Clock } from '../../gateway/core/clock.ts'
import { planTopology, type QueueWish, type TopologyWish } from '../../gateway/core/topology.ts'
import { createAmqpPublisher } from '../../gateway/events/amqp-publisher.ts'
import type { Publisher } from '../../gateway/events/publisher.ts'
import { orderPlaced } from './outbox-conformance.ts'
import { realClock, until } from './real-time.ts'
import { type RecordedTelemetry, recordTelemetry } from './recorded-telemetry.ts'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'

/** What a declared topology must be on a real broker; `brokerUrl` is asked once the hooks of the caller have run. */
export function testTopology(name: string, brokerUrl: () => string): void {
  describe(`A topology on ${name}`, () => {
    let exchange: string
    let proxy: TcpProxy
    let observer: AMQPBaseClient
    let telemetry: RecordedTelemetry
    let publisher: Publisher | undefined
    let repeats: number

    /** The five seconds until what was refused is declared again are a hundredth of that here. */
    const hurried: Clock = {
      ...realClock,
      after(delayMs, task) {
        if (delayMs !== 5_000) return realClock.after(delayMs, task)
        repeats++
        return realClock.after(50, task)
      },
    }

    beforeEach(async () => {
      repeats = 0
      exchange = `topology-${crypto.randomUUID()}`
      proxy = await startTcpProxy(Number(new URL(brokerUrl()).port || 5672), new URL(brokerUrl()).hostname)
      observer = await new AMQPClient(brokerUrl()).connect()
      telemetry = recordTelemetry()
    })

    afterEach(async () => {
      await publisher?.close()
      publisher = undefined
      await proxy.close()
      for (const queue of ['placed', 'placed.retry-10s', 'placed.retry-200ms', 'all', 'theirs', 'dead-letters']) {
        await attempt((channel) => channel.queueDelete(`${exchange}.${queue}`))
      }
      await attempt((channel) => channel.exchangeDelete(exchange))
      await attempt((channel) => channel.exchangeDelete(`${exchange}.dead-letters`))
      await observer.close()
    })

    const placed = (wish: Partial<QueueWish> = {}): QueueWish => ({
      name: `${exchange}.placed`,
      exchange,
      bind: ['order.placed'],
      deliveryLimit: 10,
      retryMs: [10_000],
      ...wish,
    })
    const all = (): QueueWish => placed({ name: `${exchange}.all`, bind: ['order.#'], retryMs: [] })

    /** What a raw declaration of the queue must say to be the same as the gateway's. */
    const placedArguments = () => ({
      'x-queue-type': 'quorum',
      'x-delivery-limit': 10,
      'x-dead-letter-exchange': `${exchange}.dead-letters`,
      'x-dead-letter-routing-key': `${exchange}.placed`,
      'x-dead-letter-strategy': 'at-least-once',
      'x-overflow': 'reject-publish',
    })

    const start = (...queues: QueueWish[]): Promise<Publisher> =>
      startWith({ exchanges: [exchange], queues, published: [], others: [] })

    async function startWith(wish: TopologyWish): Promise<Publisher> {
      const url = new URL(brokerUrl())
      url.hostname = '127.0.0.1'
      url.port = String(proxy.port)
      const timeouts = { connectTimeoutMs: 4_000, confirmTimeoutMs: 4_000 }
      const topology = planTopology(wish)
      const started = createAmqpPublisher({
        url: url.href,
        clock: hurried,
        random: () => 0,
        topology,
        ...timeouts,
        ...telemetry,
      })
      publisher = started
      await until('a connection', () => started.state.name === 'ready')
      return started
    }

    /** The result, or the message of the refusal, on a channel of its own. */
    async function attempt<Result>(use: (channel: AMQPChannel) => Promise<Result>): Promise<Result | string> {
      const channel = await observer.channel()
      channel.onerror = () => {}
      try {
        const result = await use(channel)
        await channel.close()
        return result
      } catch (error) {
        return error instanceof Error ? error.message : String(error)
      }
    }

    const declareRaw = (queue: string, args: Record<string, string | number>) =>
      attempt((channel) => channel.queueDeclare(`${exchange}.${queue}`, { durable: true }, args))

    const publish = (id: string, routingKey = 'order.placed') =>
      publisher?.publish(orderPlaced(id), { exchange, routingKey }).catch((error: Error) => error.message)

    /** The next message of a queue, taken off it. */
    async function next(queue: string): Promise<AMQPMessage> {
      const channel = await observer.channel()
      const found: AMQPMessage[] = []
      await until(`a message in ${queue}`, async () => {
        const message = await channel.basicGet(`${exchange}.${queue}`, { noAck: true })
        return message !== null && found.push(message) > 0
      })
      await channel.close()
      const [message] = found
      if (!message) throw new Error(`No message in ${queue}`)
      return message
    }

    const refusalLines = () =>
      telemetry.lines.filter(({ message }) => message === 'The broker refuses a part of the topology')

    test('is there before the first event, so that no event needs a consumer first', async () => {
      await start(placed())
      expect(await publish('event-1')).toBe('confirmed')
      expect((await next('placed')).properties.messageId).toBe('event-1')
    })

    test('has the arguments that consumers and operators rely on, and can be declared again', async () => {
      await start(placed())
      const retry = {
        'x-queue-type': 'quorum',
        'x-message-ttl': 10_000,
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': `${exchange}.placed`,
        'x-dead-letter-strategy': 'at-least-once',
        'x-overflow': 'reject-publish',
      }
      expect(await declareRaw('placed', placedArguments())).toMatchObject({ name: `${exchange}.placed` })
      expect(await declareRaw('placed.retry-10s', retry)).toMatchObject({ name: `${exchange}.placed.retry-10s` })
      expect(await declareRaw('dead-letters', { 'x-queue-type': 'quorum' })).toMatchObject({ messageCount: 0 })
      expect(await declareRaw('placed', { ...placedArguments(), 'x-delivery-limit': 11 })).toContain('406')
      for (const name of [exchange, `${exchange}.dead-letters`]) {
        expect(await attempt((channel) => channel.exchangeDeclare(name, 'topic', { durable: true }))).toBeUndefined()
        expect(await attempt((channel) => channel.exchangeDeclare(name, 'direct', { durable: true }))).toContain('406')
      }
      await publisher?.close()
      await start(placed())
      expect(publisher?.state).toEqual({ name: 'ready' })
    })

    test('keeps what a queue gives up as a dead letter under the name of the queue', async () => {
      await start(placed())
      await publish('event-1')
      await attempt(async (channel) => {
        let message = await channel.basicGet(`${exchange}.placed`, { noAck: false })
        while (!message) message = await channel.basicGet(`${exchange}.placed`, { noAck: false })
        await message.nack(false)
      })
      const dead = await next('dead-letters')
      expect([dead.routingKey, dead.properties.messageId]).toEqual([`${exchange}.placed`, 'event-1'])
    })

    test('gives back to its queue what has waited in the retry queue', async () => {
      await start(placed({ retryMs: [200] }))
      await attempt((channel) => channel.basicPublish('', `${exchange}.placed.retry-200ms`, 'again'))
      expect((await next('placed')).bodyString()).toBe('again')
    })

    test('that differs from what is there is told with both values and how to mend it, and only its events wait (EV-18)', async () => {
      await declareRaw('placed', { ...placedArguments(), 'x-delivery-limit': 5 })
      await start(placed(), all())
      const reason =
        `queue "${exchange}.placed": x-delivery-limit is to be 10, and is 5 on the broker; write delivery-limit: 5 in ` +
        `topology.queues.${exchange}.placed, or once the queue is empty delete the queue on the broker, and it is declared anew by itself`
      expect(publisher?.state).toEqual({ name: 'ready', refusal: reason })
      expect(await publish('waits')).toBe(reason)
      expect(await publish('passes', 'order.cancelled')).toBe('confirmed')
      expect((await next('all')).properties.messageId).toBe('passes')

      await until('further attempts', () => repeats > 3)
      expect(refusalLines().map(({ level, facts }) => [level, facts.reason])).toEqual([['error', reason]])
      await attempt((channel) => channel.queueDelete(`${exchange}.placed`))
      await until('the queue to be declared anew', async () => (await publish('waited')) === 'confirmed')
      expect(publisher?.state).toEqual({ name: 'ready' })
      expect((await next('placed')).properties.messageId).toBe('waited')
    })

    test('whose exchange is of another type holds back the events of that exchange', async () => {
      await attempt((channel) => channel.exchangeDeclare(exchange, 'fanout', { durable: true }))
      await start(placed())
      const reason = `exchange "${exchange}": type is to be "topic", and is "fanout" on the broker; use another exchange, or delete the exchange on the broker, and it is declared anew by itself`
      expect(publisher?.state).toEqual({ name: 'ready', refusal: reason })
      expect(await publish('event-1')).toBe(reason)
      await attempt((channel) => channel.exchangeDelete(exchange))
      await until('the exchange to be declared anew', async () => (await publish('event-1')) === 'confirmed')
      expect((await next('placed')).properties.messageId).toBe('event-1')
    })

    test('leaves an exchange of somebody else as it is, and says when it is not there', async () => {
      const started = await startWith({ exchanges: [], queues: [], published: [exchange], others: [exchange] })
      const reason = `exchange "${exchange}" is not on the broker; whoever it belongs to declares it, or topology.exchanges does`
      expect(started.state).toEqual({ name: 'ready', refusal: reason })
      expect(await publish('event-1')).toBe(reason)
      await attempt(async (channel) => {
        await channel.exchangeDeclare(exchange, 'fanout', { durable: true })
        await channel.queueDeclare(`${exchange}.theirs`, { durable: true })
        await channel.queueBind(`${exchange}.theirs`, exchange, '')
      })
      await until('the exchange to be found', async () => (await publish('event-1')) === 'confirmed')
      expect(started.state).toEqual({ name: 'ready' })
      expect((await next('theirs')).properties.messageId).toBe('event-1')
    })

    test('that was deleted while events go there is declared anew, bindings included', async () => {
      await start(placed())
      expect(await publish('event-1')).toBe('confirmed')
      await attempt((channel) => channel.queueDelete(`${exchange}.placed`))
      expect(await publish('event-2')).toBe('returned')
      expect(await publish('event-2')).toBe('confirmed')
      await attempt((channel) => channel.exchangeDelete(exchange))
      expect(await publish('event-3')).toContain('404')
      expect(await publish('event-3')).toBe('confirmed')
      expect((await next('placed')).properties.messageId).toBe('event-2')
      expect((await next('placed')).properties.messageId).toBe('event-3')
    })

    test('that was deleted while the connection was lost is there before the next event', async () => {
      const started = await start(placed())
      proxy.cut()
      await until('the loss to be noticed', () => started.state.name === 'away')
      await attempt((channel) => channel.queueDelete(`${exchange}.placed`))
      await attempt((channel) => channel.exchangeDelete(exchange))
      proxy.resume()
      await until('a new connection', () => started.state.name === 'ready')
      expect(await publish('event-1')).toBe('confirmed')
      expect((await next('placed')).properties.messageId).toBe('event-1')
    })

    test('does not hide that an event has no queue at all', async () => {
      await start(placed())
      expect(await publish('event-1', 'nobody.listens')).toBe('returned')
    })
  })
}
