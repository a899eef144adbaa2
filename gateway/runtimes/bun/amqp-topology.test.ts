import { afterAll, beforeAll, expect, test } from 'bun:test'
import { realClock } from '../../../tests/support/real-time.ts'
import { recordTelemetry } from '../../../tests/support/recorded-telemetry.ts'
import { testTopology } from '../../../tests/support/topology-conformance.ts'
import { type EmbeddedBroker, startEmbeddedBroker } from './embedded-broker.ts'

const brokerUrl = process.env.AMQP_TEST_URL

if (brokerUrl) {
  testTopology('RabbitMQ', () => brokerUrl)
} else if (process.env.CI === 'true') {
  test('The topology is tested with RabbitMQ, whose URL AMQP_TEST_URL names', () => {
    expect(brokerUrl).toBeDefined()
  })
} else {
  test.skip('LEFT OUT: the topology with RabbitMQ, since AMQP_TEST_URL names no broker', () => {})
}

let embedded: EmbeddedBroker
beforeAll(async () => {
  embedded = await startEmbeddedBroker({ clock: realClock, log: recordTelemetry().log })
})
afterAll(() => embedded.stop())
testTopology('the embedded broker', () => embedded.url)
