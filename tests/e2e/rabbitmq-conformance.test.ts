import { expect, test } from 'bun:test'
import { testBroker } from '../support/broker-conformance.ts'

const url = process.env.AMQP_TEST_URL

if (url !== undefined) testBroker('RabbitMQ', url)
else if (process.env.CI === 'true') {
  test('finds RabbitMQ: CI may leave nothing out, set AMQP_TEST_URL', () => {
    expect(process.env.AMQP_TEST_URL).toBeDefined()
  })
} else test.skip('LEFT OUT: the conformance of RabbitMQ was not tested, because AMQP_TEST_URL is not set', () => {})
