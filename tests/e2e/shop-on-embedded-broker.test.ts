import { afterAll, beforeAll } from 'bun:test'
import { type EmbeddedBroker, startEmbeddedBroker } from '../../gateway/runtimes/bun/embedded-broker.ts'
import { realClock } from '../support/real-time.ts'
import { recordTelemetry } from '../support/recorded-telemetry.ts'
import { testShopProcesses } from '../support/shop-conformance.ts'

let broker: EmbeddedBroker
beforeAll(async () => {
  broker = await startEmbeddedBroker({ clock: realClock, log: recordTelemetry().log })
})
afterAll(() => broker.stop())

testShopProcesses('the embedded broker', () => broker.url)
