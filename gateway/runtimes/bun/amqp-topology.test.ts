import { expect, test } from 'bun:test'
import { testTopology } from '../../../tests/support/topology-conformance.ts'

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
