import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { createServer, type Server } from 'node:net'
import { testPublisher } from '../../../tests/support/publisher-conformance.ts'
import { realClock, until } from '../../../tests/support/real-time.ts'
import { recordTelemetry } from '../../../tests/support/recorded-telemetry.ts'
import { createAmqpPublisher } from '../../events/amqp-publisher.ts'
import { type EmbeddedBroker, startEmbeddedBroker } from './embedded-broker.ts'

const brokerUrl = process.env.AMQP_TEST_URL

if (brokerUrl) {
  testPublisher('RabbitMQ', () => brokerUrl)
} else if (process.env.CI === 'true') {
  test('The AMQP publisher is tested with RabbitMQ, whose URL AMQP_TEST_URL names', () => {
    expect(brokerUrl).toBeDefined()
  })
} else {
  test.skip('LEFT OUT: the AMQP publisher with RabbitMQ, since AMQP_TEST_URL names no broker', () => {})
}

let embedded: EmbeddedBroker
beforeAll(async () => {
  embedded = await startEmbeddedBroker({ clock: realClock, log: recordTelemetry().log })
})
afterAll(() => embedded.stop())
testPublisher('the embedded broker', () => embedded.url)

describe('The AMQP publisher', () => {
  const servers: Server[] = []
  afterEach(() => {
    for (const server of servers.splice(0)) server.close()
  })

  /** The port of a server that sends `greeting` to everybody and ignores what they say. */
  function startServer(greeting: string | Uint8Array): Promise<number> {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.resume()
      if (greeting.length > 0) socket.write(greeting)
    })
    servers.push(server)
    return new Promise((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
    })
  }

  const others: { name: string; greeting: string | Uint8Array; reason: string }[] = [
    { name: 'never answers', greeting: '', reason: 'no connection within 200 ms' },
    {
      name: 'speaks HTTP',
      greeting: `HTTP/1.1 400 Bad Request\r\n\r\n${'x'.repeat(20_000)}`,
      reason: 'does not speak AMQP',
    },
    { name: 'sends zeros', greeting: new Uint8Array(20_000), reason: 'does not speak AMQP' },
    { name: 'claims a frame of 2 GB', greeting: new Uint8Array(20_000).fill(0x7f), reason: 'does not speak AMQP' },
    {
      name: 'claims a frame of a negative size',
      greeting: new Uint8Array(20_000).fill(0xff),
      reason: 'does not speak AMQP',
    },
  ]
  test.each(others)('only notes that it is away when the other side $name', async ({ greeting, reason }) => {
    const port = await startServer(greeting)
    const telemetry = recordTelemetry()
    const url = `amqp://shop:s3cret@127.0.0.1:${port}/orders`
    const publisher = createAmqpPublisher({
      url,
      clock: realClock,
      random: Math.random,
      connectTimeoutMs: 200,
      ...telemetry,
    })
    await until('a failed attempt', () => publisher.state.name === 'away')
    expect(publisher.state).toMatchObject({ reason: expect.stringContaining(reason) })
    await publisher.close()
    expect(publisher.state).toEqual({ name: 'closed' })
    expect(JSON.stringify(telemetry.lines)).toContain(`amqp://127.0.0.1:${port}/orders`)
    expect(JSON.stringify(telemetry.lines)).not.toContain('s3cret')
  })

  test('tries again later each time while nobody listens, up to five seconds apart', async () => {
    const port = await startServer('')
    await new Promise((resolve) => servers.splice(0)[0]?.close(resolve))
    const waits: number[] = []
    const hurried = {
      now: realClock.now,
      monotonic: realClock.monotonic,
      after: (delayMs: number, task: () => void) => {
        if (delayMs !== 6_000) waits.push(delayMs)
        return realClock.after(delayMs === 6_000 ? delayMs : 0, task)
      },
    }
    const publisher = createAmqpPublisher({
      url: `amqp://127.0.0.1:${port}`,
      clock: hurried,
      random: () => 0,
      connectTimeoutMs: 6_000,
      ...recordTelemetry(),
    })
    await until('ten attempts', () => waits.length >= 10)
    await publisher.close()
    expect(waits.slice(0, 10)).toEqual([25, 50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000])
  })

  const urls = ['', 'shop.example', 'http://shop:s3cret@broker', 'amqp://shop:s3cret@[broker']
  test.each(urls)('refuses the URL "%s" without repeating its password', (url) => {
    const create = () => createAmqpPublisher({ url, clock: realClock, random: Math.random, ...recordTelemetry() })
    expect(create).toThrow('expected amqp://user:password@host:port/vhost')
    expect(create).not.toThrow('s3cret')
  })
})
