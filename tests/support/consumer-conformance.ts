import { describe } from 'bun:test'
import { testComingAndGoing } from './consumer-conformance/coming-and-going.ts'
import { testFailures } from './consumer-conformance/failures.ts'
import { testOnce } from './consumer-conformance/once.ts'

/** The consumer kit on a real connection to a broker: the same questions to RabbitMQ and to the embedded one. */
export function testConsumers(name: string, brokerUrl: () => string): void {
  describe(`a consumer on ${name}: once`, () => testOnce(brokerUrl))
  describe(`a consumer on ${name}: failures`, () => testFailures(brokerUrl))
  describe(`a consumer on ${name}: coming and going`, () => testComingAndGoing(brokerUrl))
}
