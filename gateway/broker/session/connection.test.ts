import { describe, expect, test } from 'bun:test'
import { recordTelemetry } from '../../../tests/support/recorded-telemetry.ts'
import { createVirtualClock } from '../../../tests/support/virtual-clock.ts'
import { Broker } from '../broker.ts'
import { type FieldTable, textField } from '../codec/field-table.ts'
import { contentFrames, FrameReader, methodFrame } from '../codec/frames.ts'
import { readMethod } from '../codec/method-codec.ts'
import type { Method, MethodArguments, MethodName } from '../codec/methods.ts'
import { writeProperties } from '../codec/properties.ts'
import type { BrokerLimits } from '../limits.ts'
import { Connection } from './connection.ts'
import { PROTOCOL_HEADER } from './handshake.ts'
import { DELIVERIES_PAUSE_BYTES, READING_PAUSE_BYTES } from './wire.ts'

const NO_FIELDS: FieldTable = new Map()
const encoder = new TextEncoder()

/** A client made of octets, on a wire that only reads when told to. */
function createClient(broker: Broker, log = recordTelemetry().log) {
  const sent: Uint8Array[] = []
  const wire = {
    bufferedBytes: 0,
    isSlow: false,
    state: 'open',
    isPaused: false,
    send(bytes: Uint8Array) {
      sent.push(bytes)
      if (wire.isSlow) wire.bufferedBytes += bytes.length
    },
    close() {
      wire.state = 'closed'
    },
    abort() {
      wire.state = 'aborted'
    },
    pause() {
      wire.isPaused = true
    },
    resume() {
      wire.isPaused = false
    },
  }
  const connection = new Connection({ wire, broker, log })
  const client = {
    wire,
    connection,
    /** All octets received since the last call. */
    octets: () => sent.splice(0).flatMap((bytes) => [...bytes]),
    /** All methods received since the last call. */
    methods(): Method[] {
      const reader = new FrameReader()
      for (const bytes of sent.splice(0)) reader.push(bytes)
      const methods: Method[] = []
      for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
        if (frame.kind === 'method') methods.push(readMethod(frame.payload))
      }
      return methods
    },
    names: () => client.methods().map(({ name }) => name),
    send<Name extends MethodName>(channel: number, name: Name, values: MethodArguments<Name>) {
      connection.receive(methodFrame(channel, name, values))
    },
    publish(queue: string, text: string) {
      const target = { channel: 1, largestFrameBytes: 131_072 }
      const values = { exchange: '', routingKey: queue, mandatory: false, immediate: false }
      connection.receive(contentFrames(target, 'basic.publish', values, content(text)))
    },
    open(heartbeatSeconds = 0, frameMax = 0) {
      connection.receive(PROTOCOL_HEADER)
      client.send(0, 'connection.start-ok', startOk('PLAIN', '\0guest\0guest'))
      client.send(0, 'connection.tune-ok', { channelMax: 0, frameMax, heartbeatSeconds })
      client.send(0, 'connection.open', { virtualHost: '/' })
      client.send(1, 'channel.open', {})
      return client
    },
    declare(queue: string) {
      const flags = { passive: false, durable: true, exclusive: false, autoDelete: false, noWait: false }
      client.send(1, 'queue.declare', { queue, ...flags, arguments: NO_FIELDS })
    },
    consume(queue: string, channel = 1) {
      const flags = { noLocal: false, noAck: true, exclusive: false, noWait: true }
      client.send(channel, 'basic.consume', { queue, consumerTag: 'c', ...flags, arguments: NO_FIELDS })
    },
  }
  return client
}

function content(text: string) {
  return { properties: writeProperties({}), body: encoder.encode(text) }
}

function startOk(mechanism: string, response: string): MethodArguments<'connection.start-ok'> {
  return { clientProperties: NO_FIELDS, mechanism, response: encoder.encode(response), locale: 'en_US' }
}

function createScene(limits: Partial<BrokerLimits> = {}) {
  const clock = createVirtualClock()
  const broker = new Broker({ clock, limits })
  return { clock, broker, client: createClient(broker) }
}

/** The code the broker closed the connection with. */
function closeCode(methods: readonly Method[]): number | undefined {
  return methods.flatMap((method) => (method.name === 'connection.close' ? [method.arguments.replyCode] : []))[0]
}

describe('handshake', () => {
  test('introduces itself, offers limits, and opens', () => {
    const { client } = createScene()
    client.open()
    expect(client.names()).toEqual(['connection.start', 'connection.tune', 'connection.open-ok', 'channel.open-ok'])
  })

  const strangers = ['GET / HTTP/1.1\r\n', 'AMQP\0\0\x09\x00', 'AMQP\0\x01\0\0', 'X', '\x16\x03\x01']
  test.each(strangers.map((hello) => ({ name: JSON.stringify(hello), hello })))(
    'answers $name with the protocol it speaks and hangs up',
    ({ hello }) => {
      const { client } = createScene()
      client.connection.receive(encoder.encode(hello))
      expect(client.octets()).toEqual([...PROTOCOL_HEADER])
      expect(client.wire.state).toBe('closed')
      client.connection.receive(PROTOCOL_HEADER)
      expect(client.octets()).toEqual([])
    },
  )

  test('takes the protocol header octet by octet', () => {
    const { client } = createScene()
    for (const octet of PROTOCOL_HEADER) client.connection.receive(Uint8Array.of(octet))
    expect(client.names()).toEqual(['connection.start'])
  })

  test('drops a client that does not finish within ten seconds', async () => {
    const { client, clock } = createScene()
    client.connection.receive(PROTOCOL_HEADER)
    await clock.advance(9_999)
    expect(client.wire.state).toBe('open')
    await clock.advance(1)
    expect(client.wire.state).toBe('aborted')
  })

  test('leaves a finished client alone', async () => {
    const { client, clock } = createScene()
    client.open()
    await clock.advance(3_600_000)
    expect(client.wire.state).toBe('open')
  })

  const refusals: readonly { name: string; code: number; act: (client: ReturnType<typeof createClient>) => void }[] = [
    {
      name: 'an unknown mechanism',
      code: 403,
      act: (client) => client.send(0, 'connection.start-ok', startOk('EXTERNAL', '')),
    },
    {
      name: 'a frame size below the smallest',
      code: 530,
      act: (client) => {
        client.send(0, 'connection.start-ok', startOk('PLAIN', '\0a\0b'))
        client.send(0, 'connection.tune-ok', { channelMax: 0, frameMax: 100, heartbeatSeconds: 0 })
      },
    },
    {
      name: 'a step out of order',
      code: 503,
      act: (client) => client.send(0, 'connection.open', { virtualHost: '/' }),
    },
    { name: 'a channel before the connection is open', code: 503, act: (client) => client.send(1, 'channel.open', {}) },
  ]
  test.each([...refusals])('refuses $name', async ({ code, act }) => {
    const { client, clock } = createScene()
    client.connection.receive(PROTOCOL_HEADER)
    act(client)
    expect(closeCode(client.methods())).toBe(code)
    await clock.advance(10_000)
    expect(client.wire.state).toBe('aborted')
  })
})

describe('connection', () => {
  const mistakes: readonly { name: string; code: number; act: (client: ReturnType<typeof createClient>) => void }[] = [
    {
      name: 'a method nobody knows (tx.select)',
      code: 540,
      act: ({ connection }) => connection.receive(Uint8Array.of(1, 0, 1, 0, 0, 0, 4, 0, 90, 0, 10, 0xce)),
    },
    {
      name: 'a channel that is not open',
      code: 504,
      act: (client) => client.send(2, 'basic.recover', { requeue: true }),
    },
    { name: 'a channel beyond the limit', code: 504, act: (client) => client.send(256, 'channel.open', {}) },
    { name: 'a channel opened twice', code: 504, act: (client) => client.send(1, 'channel.open', {}) },
    {
      name: 'a body that nobody announced',
      code: 505,
      act: ({ connection }) => connection.receive(Uint8Array.of(3, 0, 1, 0, 0, 0, 1, 7, 0xce)),
    },
    {
      name: 'a frame without its end',
      code: 501,
      act: ({ connection }) => connection.receive(Uint8Array.of(3, 0, 1, 0, 0, 0, 1, 7, 0)),
    },
    {
      name: 'a method between publish and its body',
      code: 505,
      act: (client) => {
        client.send(1, 'basic.publish', { exchange: '', routingKey: 'q', mandatory: false, immediate: false })
        client.send(1, 'confirm.select', { noWait: false })
      },
    },
    {
      name: 'a headers exchange',
      code: 540,
      act: (client) =>
        client.send(1, 'exchange.declare', {
          exchange: 'h',
          type: 'headers',
          passive: false,
          durable: true,
          autoDelete: false,
          internal: false,
          noWait: false,
          arguments: NO_FIELDS,
        }),
    },
    {
      name: 'an argument it cannot honour',
      code: 540,
      act: (client) =>
        client.send(1, 'queue.declare', {
          queue: 'q',
          passive: false,
          durable: true,
          exclusive: false,
          autoDelete: false,
          noWait: false,
          arguments: new Map([['x-max-priority', textField('9')]]),
        }),
    },
    {
      name: 'a prefetch in octets',
      code: 540,
      act: (client) => client.send(1, 'basic.qos', { prefetchSize: 1, prefetchCount: 0, global: false }),
    },
  ]
  test.each([...mistakes])('ends for $name', ({ code, act }) => {
    const { client } = createScene()
    client.open()
    act(client)
    const methods = client.methods()
    expect(closeCode(methods)).toBe(code)
    client.declare('ignored')
    client.send(0, 'connection.close-ok', {})
    // After a broken frame nothing that follows can be understood, close-ok included.
    expect([client.methods(), client.wire.state]).toEqual([[], code === 501 ? 'aborted' : 'closed'])
  })

  test('sends heartbeats, and drops a client that was silent for two intervals, whatever time of day it is', async () => {
    const { client, clock } = createScene()
    client.open(10)
    client.octets()
    await clock.advance(15_000)
    client.connection.receive(Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 0xce))
    clock.jump(86_400_000)
    await clock.advance(19_999)
    expect(client.octets()).toEqual(Array(6).fill([8, 0, 0, 0, 0, 0, 0, 0xce]).flat())
    expect(client.wire.state).toBe('open')
    await clock.advance(1)
    expect(client.wire.state).toBe('aborted')
  })

  test('tells its client when the broker goes away', () => {
    const { client } = createScene()
    client.open()
    client.methods()
    client.connection.shutdown()
    expect([closeCode(client.methods()), client.wire.state]).toEqual([320, 'closed'])
  })

  test('hands nothing to a second channel of a connection that is ending', () => {
    const { client, broker } = createScene()
    client.open()
    client.declare('q')
    client.publish('q', 'x')
    client.send(1, 'basic.get', { queue: 'q', noAck: false })
    client.send(2, 'channel.open', {})
    client.consume('q', 2)
    client.connection.lost()
    expect(broker.stats()).toMatchObject({ ready: 1, unsettled: 0 })
  })

  test('keeps frames within the size agreed on', () => {
    const { client } = createScene()
    client.open(0, 4_096)
    client.declare('q')
    client.octets()
    const target = { channel: 1, largestFrameBytes: 4_096 }
    const values = { exchange: '', routingKey: 'q', mandatory: false, immediate: false }
    client.connection.receive(contentFrames(target, 'basic.publish', values, content('x'.repeat(10_000))))
    client.send(1, 'basic.get', { queue: 'q', noAck: true })
    const reader = new FrameReader()
    reader.largestFrameBytes = 4_096
    reader.push(Uint8Array.from(client.octets()))
    const sizes: number[] = []
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) sizes.push(frame.payload.length)
    expect(sizes.slice(2)).toEqual([4_088, 4_088, 1_824])
  })
})

describe('back-pressure', () => {
  test('leaves messages in their queue while the client does not read, and goes on when it does', () => {
    const { client, broker } = createScene()
    client.open()
    client.declare('q')
    client.wire.isSlow = true
    client.consume('q')
    for (let i = 0; i < 40; i += 1) client.publish('q', 'x'.repeat(65_536))
    expect(client.wire.bufferedBytes).toBeLessThan(DELIVERIES_PAUSE_BYTES + 70_000)
    expect(broker.stats().ready).toBeGreaterThan(20)
    client.wire.isSlow = false
    client.wire.bufferedBytes = 0
    client.connection.drained()
    expect(broker.stats()).toMatchObject({ ready: 0, unsettled: 0, memoryBytes: 0 })
  })

  test('stops listening to a client that asks faster than it reads the answers', () => {
    const { client } = createScene()
    client.open()
    client.declare('q')
    client.publish('q', 'x'.repeat(100_000))
    client.wire.isSlow = true
    const ask = [
      ...methodFrame(1, 'basic.get', { queue: 'q', noAck: false }),
      ...methodFrame(1, 'basic.nack', { deliveryTag: 0, multiple: true, requeue: true }),
    ]
    client.connection.receive(Uint8Array.from(Array(100).fill(ask).flat()))
    expect(client.wire.isPaused).toBe(true)
    expect(client.wire.bufferedBytes).toBeLessThan(READING_PAUSE_BYTES + 200_000)
    client.names()
    client.wire.isSlow = false
    client.wire.bufferedBytes = 0
    client.connection.drained()
    expect(client.wire.isPaused).toBe(false)
    expect(client.names().filter((name) => name === 'basic.get-ok').length).toBeGreaterThan(50)
  })
})

describe('memory limit', () => {
  test('nacks what does not fit when confirms are on, keeps what it has, and takes more when there is room', () => {
    const { client, broker } = createScene({ memoryBytes: 10_000 })
    client.open()
    client.declare('q')
    client.send(1, 'confirm.select', { noWait: true })
    client.methods()
    client.publish('q', 'x'.repeat(6_000))
    client.publish('q', 'y'.repeat(6_000))
    client.publish('q', 'z')
    expect(client.methods()).toEqual([
      { name: 'basic.ack', arguments: { deliveryTag: 1, multiple: false } },
      { name: 'basic.nack', arguments: { deliveryTag: 2, multiple: false, requeue: false } },
      { name: 'basic.ack', arguments: { deliveryTag: 3, multiple: false } },
    ])
    expect(broker.stats().ready).toBe(2)
  })

  test('ends the connection with 506 when nobody would hear a nack', () => {
    const { client } = createScene({ memoryBytes: 1_000 })
    client.open()
    client.declare('q')
    client.publish('q', 'x'.repeat(2_000))
    expect(closeCode(client.methods())).toBe(506)
  })

  test('counts half-sent messages and gives their room back when their client leaves', () => {
    const { client, broker } = createScene({ memoryBytes: 10_000 })
    client.open()
    const values = { exchange: '', routingKey: 'q', mandatory: false, immediate: false }
    const frames = contentFrames(
      { channel: 1, largestFrameBytes: 131_072 },
      'basic.publish',
      values,
      content('x'.repeat(8_000)),
    )
    client.connection.receive(frames.subarray(0, frames.length - 5_000))
    expect(broker.stats().memoryBytes).toBe(8_000)
    client.connection.lost()
    expect(broker.stats().memoryBytes).toBe(0)
  })

  test('refuses one message that is too large with 406 on its channel', () => {
    const { client } = createScene({ messageBytes: 1_000 })
    client.open()
    client.declare('q')
    client.methods()
    client.publish('q', 'x'.repeat(1_001))
    const [close] = client.methods()
    expect(close?.name === 'channel.close' && close.arguments.replyCode).toBe(406)
  })
})
