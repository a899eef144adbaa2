import { expect, test } from 'bun:test'
import { testShopProcesses } from '../support/shop-conformance.ts'

const url = process.env.AMQP_TEST_URL

if (url !== undefined) testShopProcesses('RabbitMQ', () => url)
else if (process.env.CI === 'true') {
  test('finds RabbitMQ: CI may leave nothing out, set AMQP_TEST_URL', () => {
    expect(process.env.AMQP_TEST_URL).toBeDefined()
  })
} else test.skip('LEFT OUT: the shop on RabbitMQ was not tested, because AMQP_TEST_URL is not set', () => {})
