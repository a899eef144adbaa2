import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AMQPClient } from '@cloudamqp/amqp-client'
import { testBroker } from '../../../tests/support/broker-conformance.ts'
import { realClock, until } from '../../../tests/support/real-time.ts'
import { recordTelemetry } from '../../../tests/support/recorded-telemetry.ts'
import type { BrokerLimits } from '../../broker/limits.ts'
import { type EmbeddedBroker, startEmbeddedBroker } from './embedded-broker.ts'

const { log } = recordTelemetry()
const start = (limits: Partial<BrokerLimits> = {}, port = 0, file?: string) =>
  startEmbeddedBroker({ clock: realClock, log, limits, port, file })

const folder = mkdtempSync(join(tmpdir(), 'sluice-broker-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe.each([
  { name: 'the embedded broker in memory', file: undefined },
  { name: 'the embedded broker with a file', file: join(folder, 'conformance.db') },
])('conformance of $name', ({ name, file }) => {
  let broker: EmbeddedBroker
  beforeAll(async () => {
    broker = await start({}, 0, file)
  })
  afterAll(() => broker.stop())

  const restart = async () => {
    await broker.stop()
    broker = await start({}, Number(new URL(broker.url).port), file)
  }
  testBroker(name, () => broker.url, file === undefined ? undefined : restart)

  test('leaves nothing behind after all of this', async () => {
    await until('all connections are gone', () => broker.stats().connections === 0)
    const { fileBytes, ...stats } = broker.stats()
    expect(fileBytes > 0).toBe(file !== undefined)
    expect(stats).toEqual({
      exchanges: 3,
      queues: 0,
      ready: 0,
      unsettled: 0,
      memoryBytes: 0,
      diskBytes: 0,
      connections: 0,
      channels: 0,
      pauseReason: undefined,
    })
  })
})

describe('listener', () => {
  const running: EmbeddedBroker[] = []
  afterEach(async () => {
    for (const broker of running.splice(0)) await broker.stop()
  })

  async function startBroker(limits?: Partial<BrokerLimits>): Promise<EmbeddedBroker> {
    const broker = await start(limits)
    running.push(broker)
    return broker
  }

  async function connect(broker: EmbeddedBroker) {
    const client = new AMQPClient(broker.url, undefined, null)
    const errors: string[] = []
    client.onerror = ({ message }) => void errors.push(message)
    await client.connect()
    return { client, errors }
  }

  /** Sends octets on a bare socket and resolves with all that came back once the broker has hung up. */
  function exchange(broker: EmbeddedBroker, octets: Uint8Array | string): Promise<number[]> {
    const received: number[] = []
    return new Promise((resolve, reject) => {
      Bun.connect({
        hostname: '127.0.0.1',
        port: Number(new URL(broker.url).port),
        socket: {
          open: (socket) => void socket.write(octets),
          data: (_socket, bytes) => void received.push(...bytes),
          close: () => resolve(received),
          error: (_socket, error) => reject(error),
        },
      }).catch(reject)
    })
  }

  test('answers another protocol with its own header and hangs up', async () => {
    const broker = await startBroker()
    const answer = [0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1]
    expect(await exchange(broker, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')).toEqual(answer)
    expect(await exchange(broker, new Uint8Array(70_000).fill(0xff))).toEqual(answer)
    await until('both are forgotten', () => broker.stats().connections === 0)
  })

  test('hangs up on a client that never finishes the handshake', async () => {
    const broker = await startBroker({ handshakeMs: 30 })
    const received = await exchange(broker, Uint8Array.of(0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1))
    expect(received.slice(0, 3)).toEqual([1, 0, 0])
  })

  test('holds messages back from a consumer that does not read, and loses none of them', async () => {
    const broker = await startBroker()
    const { client: slow } = await connect(broker)
    const channel = await slow.channel()
    await channel.queueDeclare('q')
    const firsts: (number | undefined)[] = []
    await channel.basicConsume('q', { noAck: true }, ({ body }) => void firsts.push(body?.[0]))
    ;(slow as AMQPClient).socket?.pause()

    const { client: publisher } = await connect(broker)
    const publishing = await publisher.channel()
    await publishing.confirmSelect()
    const count = 40
    for (let i = 0; i < count; i += 1) await publishing.basicPublish('', 'q', new Uint8Array(1_048_576).fill(i))
    expect(broker.stats().ready).toBeGreaterThan(20)

    ;(slow as AMQPClient).socket?.resume()
    await until('everything has arrived', () => firsts.length === count)
    expect(firsts).toEqual(Array.from({ length: count }, (_, index) => index))
    expect(broker.stats()).toMatchObject({ ready: 0, memoryBytes: 0 })
  })

  test('nacks what goes beyond its memory and takes messages again once there is room', async () => {
    const broker = await startBroker({ memoryBytes: 100_000 })
    const { client } = await connect(broker)
    const channel = await client.channel()
    await channel.confirmSelect()
    await channel.queueDeclare('q')
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, () => channel.basicPublish('', 'q', new Uint8Array(10_000))),
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBe(9)
    await channel.queuePurge('q')
    await channel.basicPublish('', 'q', 'again')
    expect(broker.stats().ready).toBe(1)
  })

  test('refuses connections beyond its limit and leaves the others alone', async () => {
    const broker = await startBroker({ connections: 1 })
    const { client } = await connect(broker)
    const refused = await exchange(broker, '')
    expect(refused).toEqual([])
    await client.channel()
    expect(broker.stats()).toMatchObject({ connections: 1, channels: 1 })
  })

  test('tells its clients when it stops, and gives its port back', async () => {
    const broker = await start()
    const { client, errors } = await connect(broker)
    const port = Number(new URL(broker.url).port)
    await broker.stop()
    await until('the client knows', () => client.closed)
    expect(errors[0]).toContain('320')
    const again = await start({}, port)
    expect(again.url).toBe(broker.url)
    await again.stop()
  })

  test('rejects when its port is taken', async () => {
    const broker = await startBroker()
    const second = start({}, Number(new URL(broker.url).port))
    expect(
      await second.then(
        () => 'started',
        (error: Error) => error.message,
      ),
    ).toContain('listen')
  })
})
