import { describe } from 'bun:test'
import { testDeadLetters } from './broker-conformance/dead-letters.ts'
import { testDeclaring } from './broker-conformance/declaring.ts'
import { testDelivery } from './broker-conformance/delivery.ts'
import { testEventTopology } from './broker-conformance/event-topology.ts'
import { testPublishing } from './broker-conformance/publishing.ts'
import { type Restart, testRestarting } from './broker-conformance/restarting.ts'
import type { BrokerUrl } from './broker-conformance/scene.ts'

/**
 * What the gateway and the services rely on, asked of a broker through the client they use. Holds for RabbitMQ, too.
 * What outlives the broker is only asked of one that can be restarted.
 */
export function testBroker(name: string, url: BrokerUrl, restart?: Restart): void {
  describe(name, () => {
    testPublishing(url)
    testDelivery(url)
    testDeclaring(url)
    testDeadLetters(url)
    testEventTopology(url)
    if (restart !== undefined) testRestarting(url, restart)
  })
}
