import { expect, test } from 'bun:test'
import { testConsumers } from '../support/consumer-conformance.ts'

const url = process.env.AMQP_TEST_URL

if (url !== undefined) testConsumers('RabbitMQ', () => url)
else if (process.env.CI === 'true') {
  test('finds RabbitMQ: CI may leave nothing out, set AMQP_TEST_URL', () => {
    expect(process.env.AMQP_TEST_URL).toBeDefined()
  })
} else test.skip('LEFT OUT: consumers on RabbitMQ were not tested, because AMQP_TEST_URL is not set', () => {})
