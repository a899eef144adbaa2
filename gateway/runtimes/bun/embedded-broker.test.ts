import { afterAll, beforeAll } from 'bun:test'
import { testBroker } from '../../../tests/support/broker-conformance.ts'
import { type EmbeddedBroker, startEmbeddedBroker } from './embedded-broker.ts'

const clock = {
  now: () => Date.now(),
  after(delayMs: number, task: () => void) {
    const timer = setTimeout(task, delayMs)
    return () => clearTimeout(timer)
  },
}
const log = { info() {}, warn() {}, error: console.error }

let broker: EmbeddedBroker
beforeAll(async () => {
  broker = await startEmbeddedBroker({ clock, log })
})
afterAll(() => broker.stop())

testBroker('the embedded broker', () => broker.url)
