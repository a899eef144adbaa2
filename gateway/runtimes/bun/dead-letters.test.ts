import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { testDeadLetters } from '../../../tests/support/dead-letters-conformance.ts'
import { realClock } from '../../../tests/support/real-time.ts'
import { recordTelemetry } from '../../../tests/support/recorded-telemetry.ts'
import { OperationRefused } from '../../core/operations.ts'
import { createAmqpDeadLetters } from '../../events/amqp-dead-letters.ts'
import { type EmbeddedBroker, startEmbeddedBroker } from './embedded-broker.ts'

const brokerUrl = process.env.AMQP_TEST_URL

if (brokerUrl) {
  testDeadLetters('RabbitMQ', () => brokerUrl)
} else if (process.env.CI === 'true') {
  test('dead letters are tested with RabbitMQ, whose URL AMQP_TEST_URL names', () => {
    expect(brokerUrl).toBeDefined()
  })
} else {
  test.skip('LEFT OUT: dead letters on RabbitMQ, since AMQP_TEST_URL names no broker', () => {})
}

let embedded: EmbeddedBroker
beforeAll(async () => {
  embedded = await startEmbeddedBroker({ clock: realClock, log: recordTelemetry().log })
})
afterAll(() => embedded.stop())
testDeadLetters('the embedded broker', () => embedded.url)

describe('dead letters', () => {
  test('are unavailable while the broker is away, without its password in the message', async () => {
    const url = 'amqp://guest:geheim@127.0.0.1:1'
    const deadLetters = createAmqpDeadLetters({ url, queues: ['a.dead-letters'], clock: realClock })
    const error: unknown = await deadLetters.list(1).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(OperationRefused)
    expect(String(error)).toContain('Cannot reach the dead letters on the broker: ')
    expect(String(error)).not.toContain('geheim')
    await deadLetters.close()
  })
})
