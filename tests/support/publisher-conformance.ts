import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { type AMQPBaseClient, type AMQPChannel, AMQPClient, type AMQPMessage } from '@cloudamqp/amqp-client'
import type { Clock } from '../../gateway/core/clock.ts'
import type { CloudEvent, EventAddress } from '../../gateway/core/events.ts'
import { createAmqpPublisher } from '../../gateway/events/amqp-publisher.ts'
import type { Publisher } from '../../gateway/events/publisher.ts'
import { orderPlaced } from './outbox-conformance.ts'
import { realClock, until } from './real-time.ts'
import { type RecordedTelemetry, recordTelemetry } from './recorded-telemetry.ts'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'

/** What the publisher must do with a real broker; `brokerUrl` is asked once the hooks of the caller have run. */
export function testPublisher(name: string, brokerUrl: () => string): void {
  describe(`The AMQP publisher with ${name}`, () => {
    let proxy: TcpProxy
    let publisher: Publisher
    let telemetry: RecordedTelemetry
    let observer: AMQPBaseClient
    let channel: AMQPChannel
    let exchange: string
    let arrived: AMQPMessage[]
    let setBackMs: number

    beforeEach(async () => {
      exchange = `test.${crypto.randomUUID()}`
      arrived = []
      setBackMs = 0
      proxy = await startTcpProxy(Number(new URL(brokerUrl()).port || 5672), new URL(brokerUrl()).hostname)
      observer = await new AMQPClient(brokerUrl()).connect()
      channel = await observer.channel()
      await channel.exchangeDeclare(exchange, 'topic', { durable: true })
      const { name: queue } = await channel.queueDeclare('', { exclusive: true })
      await channel.queueBind(queue, exchange, 'order.#')
      await channel.basicConsume(queue, { noAck: true }, (message) => {
        arrived.push(message)
      })
      telemetry = recordTelemetry()
      publisher = startPublisher()
      await until('a connection', () => publisher.state.name === 'ready')
    })

    afterEach(async () => {
      await publisher.close()
      await proxy.close()
      if (!channel.closed) await channel.exchangeDelete(exchange)
      await observer.close()
    })

    function startPublisher(): Publisher {
      const url = new URL(brokerUrl())
      url.hostname = '127.0.0.1'
      url.port = String(proxy.port)
      const timeouts = { connectTimeoutMs: 500, confirmTimeoutMs: 500 }
      // The ten seconds that a broker has to answer are half a second here.
      const after: Clock['after'] = (delayMs, task) => realClock.after(delayMs === 10_000 ? 500 : delayMs, task)
      const clock = { ...realClock, after, now: () => realClock.now() - setBackMs }
      return createAmqpPublisher({ url: url.href, clock, random: () => 0, ...timeouts, ...telemetry })
    }

    const placed = (): EventAddress => ({ exchange, routingKey: 'order.placed' })
    const unbound = (): EventAddress => ({ exchange, routingKey: 'nobody.listens' })
    const arrivedIds = () => arrived.map(({ properties }) => properties.messageId)
    /** The outcome, or the message of the rejection. */
    const outcomeOf = (event: CloudEvent, address: EventAddress): Promise<string> =>
      publisher.publish(event, address).catch((error: Error) => error.message)

    test('confirms an event that a queue took, and hands it over whole', async () => {
      expect(await publisher.publish(orderPlaced('event-1', 'order-1'), placed())).toBe('confirmed')
      await until('the event', () => arrived.length === 1)
      const [message] = arrived
      expect(message?.routingKey).toBe('order.placed')
      expect(message?.bodyToString()).toBe('{"id":"event-1","note":"é"}')
      expect(message?.properties).toEqual({
        contentType: 'application/json',
        deliveryMode: 2,
        messageId: 'event-1',
        type: 'order.placed',
        appId: '/gateway',
        timestamp: new Date('2026-01-02T03:04:05Z'),
        headers: {
          cloudEvents_specversion: '1.0',
          cloudEvents_id: 'event-1',
          cloudEvents_source: '/gateway',
          cloudEvents_type: 'order.placed',
          cloudEvents_subject: 'order-1',
          cloudEvents_time: '2026-01-02T03:04:05Z',
        },
      })
    })

    test('carries every attribute of an event as raw properties that any client reads', async () => {
      const traceId = '0af7651916cd43dd8448eb211c80319c'
      const traceparent = `00-${traceId}-b7ad6b7169203331-01`
      const more = { traceparent, tracestate: 'shop=1', dataschema: 'https://shop.test/order.json' }
      const { name: queue } = await channel.queueDeclare('', { exclusive: true })
      await channel.queueBind(queue, exchange, 'order.#')
      expect(await publisher.publish({ ...orderPlaced('event-1', 'order-1'), ...more }, placed())).toBe('confirmed')
      const message = await channel.basicGet(queue, { noAck: true })
      expect(message?.properties).toMatchObject({ messageId: 'event-1', correlationId: traceId, type: 'order.placed' })
      expect(message?.properties.headers).toMatchObject({
        cloudEvents_traceparent: traceparent,
        cloudEvents_tracestate: 'shop=1',
        cloudEvents_dataschema: 'https://shop.test/order.json',
      })
    })

    test('does not take the acknowledgement of a returned event for a delivery', async () => {
      expect(await publisher.publish(orderPlaced('event-1'), unbound())).toBe('returned')
      expect(await publisher.publish(orderPlaced('event-1'), placed())).toBe('confirmed')
    })

    test('tells confirmed from returned among many in flight, and keeps their order', async () => {
      const events = Array.from({ length: 256 }, (_, i) => orderPlaced(`event-${i}`))
      const outcomes = await Promise.all(events.map((event, i) => outcomeOf(event, i % 3 === 0 ? unbound() : placed())))
      expect(outcomes).toEqual(events.map((_, i) => (i % 3 === 0 ? 'returned' : 'confirmed')))
      await until('all that were bound', () => arrived.length === 170)
      expect(arrivedIds()).toEqual(events.filter((_, i) => i % 3 !== 0).map(({ id }) => id))
    })

    test('tells the same event apart when it is in flight twice', async () => {
      const twice = [outcomeOf(orderPlaced('event-1'), unbound()), outcomeOf(orderPlaced('event-1'), unbound())]
      expect(await Promise.all(twice)).toEqual(['returned', 'returned'])
    })

    test('carries a body that needs many frames, and an empty one', async () => {
      const large = { ...orderPlaced('event-1'), data: 'x'.repeat(1_000_000) }
      expect(await publisher.publish(large, placed())).toBe('confirmed')
      expect(await publisher.publish({ ...large, id: 'event-2', data: '' }, placed())).toBe('confirmed')
      await until('both', () => arrived.length === 2)
      expect(arrived.map(({ bodySize }) => bodySize)).toEqual([1_000_002, 2])
    })

    test('declares an exchange that is missing', async () => {
      const fresh = `${exchange}.fresh`
      expect(await publisher.publish(orderPlaced('event-1'), { ...placed(), exchange: fresh })).toBe('returned')
      await channel.exchangeDeclare(fresh, 'topic', { durable: true, passive: true })
      await channel.exchangeDelete(fresh)
    })

    test('works on after an exchange was deleted behind its back', async () => {
      const gone = { ...placed(), exchange: `${exchange}.gone` }
      expect(await outcomeOf(orderPlaced('event-1'), gone)).toBe('returned')
      await channel.exchangeDelete(gone.exchange)
      expect(await outcomeOf(orderPlaced('event-2'), gone)).toContain('404')
      expect(publisher.state.name).toBe('ready')
      expect(await outcomeOf(orderPlaced('event-3'), placed())).toBe('confirmed')
      expect(await outcomeOf(orderPlaced('event-2'), gone)).toBe('returned')
      await channel.exchangeDelete(gone.exchange)
    })

    test('says so when an exchange is of another kind, lets others pass, and recovers once that is mended', async () => {
      const other = { ...placed(), exchange: `${exchange}.other` }
      await channel.exchangeDeclare(other.exchange, 'direct', { durable: true })
      const inFlight = Array.from({ length: 50 }, (_, i) => outcomeOf(orderPlaced(`event-${i}`), placed()))
      expect(await outcomeOf(orderPlaced('refused'), other)).toContain('406')
      expect(new Set(await Promise.all(inFlight))).toEqual(new Set(['confirmed']))
      expect(publisher.state).toEqual({ name: 'ready', refusal: expect.stringContaining(other.exchange) })

      await channel.exchangeDelete(other.exchange)
      await until('a declaration', async () => (await outcomeOf(orderPlaced('refused'), other)) === 'returned')
      expect(publisher.state).toEqual({ name: 'ready' })
      await channel.exchangeDelete(other.exchange)
    })

    test('rejects what is in flight when the connection is lost, and sends it again under the same id', async () => {
      expect(await outcomeOf(orderPlaced('event-0'), placed())).toBe('confirmed')
      proxy.hold()
      const inFlight = Array.from({ length: 100 }, (_, i) => outcomeOf(orderPlaced(`event-${i}`), placed()))
      proxy.cut()
      for (const outcome of await Promise.all(inFlight)) expect(outcome).not.toBe('confirmed')
      await until('the loss to be noticed', () => publisher.state.name === 'away')
      expect(await outcomeOf(orderPlaced('event-1'), placed())).toStartWith('Cannot publish: the broker is away')

      proxy.resume()
      await until('a new connection', () => publisher.state.name === 'ready')
      expect(await publisher.publish(orderPlaced('event-1', 'order-1'), placed())).toBe('confirmed')
      await until('the event', () => arrivedIds().includes('event-1'))
    })

    test.each([
      { name: 'the confirmation is overdue', byMs: 0 },
      { name: 'the confirmation is overdue, whatever became of the time of day', byMs: 3_600_000 },
    ])('gives a silent broker up after $name, and connects anew', async ({ byMs }) => {
      expect(await outcomeOf(orderPlaced('event-0'), placed())).toBe('confirmed')
      setBackMs = byMs
      proxy.hold()
      expect(await outcomeOf(orderPlaced('event-1'), placed())).toBe('the broker did not confirm within 500 ms')
      await until('the loss to be noticed', () => publisher.state.name === 'away')
      proxy.resume()
      await until('a new connection', () => publisher.state.name === 'ready')
      expect(await outcomeOf(orderPlaced('event-1'), placed())).toBe('confirmed')
    })

    test('tells those who listen each time it is ready', async () => {
      let times = 0
      const end = publisher.onReady(() => times++)
      for (const expected of [1, 2]) {
        proxy.cut()
        await until('the loss to be noticed', () => publisher.state.name === 'away')
        proxy.resume()
        await until('the call', () => times === expected)
      }
      end()
      proxy.cut()
      await until('the loss to be noticed', () => publisher.state.name === 'away')
      proxy.resume()
      await until('a new connection', () => publisher.state.name === 'ready')
      expect(times).toBe(2)
    })

    test('waits for a broker that is away when it starts', async () => {
      await publisher.close()
      proxy.cut()
      publisher = startPublisher()
      await until('a failed attempt', () => publisher.state.name === 'away')
      expect(await outcomeOf(orderPlaced('event-1'), placed())).toStartWith('Cannot publish: the broker is away')
      proxy.resume()
      await until('a connection', () => publisher.state.name === 'ready')
      expect(await outcomeOf(orderPlaced('event-1'), placed())).toBe('confirmed')
    })

    test('bounds what waits for confirmation', async () => {
      expect(await outcomeOf(orderPlaced('event-0'), placed())).toBe('confirmed')
      proxy.hold()
      const outcomes = Array.from({ length: 257 }, (_, i) => outcomeOf(orderPlaced(`event-${i}`), placed()))
      expect(await outcomes[256]).toContain("256 messages wait for the broker's confirmation")
      proxy.resume()
      expect(new Set(await Promise.all(outcomes.slice(0, 256)))).toEqual(new Set(['confirmed']))
    })

    test('rejects what is in flight when it is closed, and everything after', async () => {
      expect(await outcomeOf(orderPlaced('event-0'), placed())).toBe('confirmed')
      proxy.hold()
      const inFlight = outcomeOf(orderPlaced('event-1'), placed())
      await publisher.close()
      expect(await inFlight).not.toBe('confirmed')
      expect(publisher.state).toEqual({ name: 'closed' })
      expect(await outcomeOf(orderPlaced('event-2'), placed())).toBe('Cannot publish: the broker is closed')
    })
  })
}
