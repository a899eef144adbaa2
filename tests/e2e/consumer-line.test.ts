import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type EmbeddedBroker, startEmbeddedBroker } from '../../gateway/runtimes/bun/embedded-broker.ts'
import { systemClock } from '../../gateway/runtimes/bun/system-clock.ts'
import { type AmqpLine, openLine } from '../../upstream-mocks/consumer/amqp-line.ts'
import { planTopology } from '../../upstream-mocks/consumer/topology.ts'
import { recordTelemetry } from '../support/recorded-telemetry.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

describe("a consumer's line to the broker", () => {
  const topology = planTopology({
    service: 'stock',
    exchange: 'events',
    queuePrefix: '',
    types: ['order.placed'],
    delaysMs: [1_000],
    deliveryLimit: 3,
  })
  const message = { exchange: 'events', routingKey: 'order.placed', body: '{}', properties: { messageId: '1' } }
  let broker: EmbeddedBroker
  let proxy: TcpProxy
  let line: AmqpLine

  beforeAll(async () => {
    broker = await startEmbeddedBroker({ clock: systemClock, log: recordTelemetry().log })
    proxy = await startTcpProxy(Number(new URL(broker.url).port))
    const url = `amqp://guest:guest@127.0.0.1:${proxy.port}`
    line = await openLine({ url, name: 'stock', topology, stopping: new AbortController().signal })
  })

  afterAll(async () => {
    await line?.close()
    await proxy?.close()
    await broker?.stop()
  })

  test('lets nobody wait for a confirm once it is lost, though its socket has not ended yet', async () => {
    expect(await line.publish(message)).toBe('confirmed')
    proxy.holdReplies()
    const publishing = line.publish(message)
    line.lose('write EPIPE')
    expect(await publishing.catch((error: Error) => error.message)).toBe('The connection to the broker is lost')
  })
})
