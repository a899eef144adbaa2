import type { StepHook } from '../../gateway/core/events.ts'
import { createEventBus } from '../../gateway/events/event-bus.ts'
import { createMemoryOutbox } from '../../gateway/events/memory-outbox.ts'
import { createSettler } from '../../gateway/events/settler.ts'
import { createTestGateway, TEST_START, type TestGatewayOptions } from './gateway.ts'
import { recordTelemetry } from './recorded-telemetry.ts'
import { createVirtualClock } from './virtual-clock.ts'

/** A test gateway with an outbox in memory and a settler, but no relay: what is committed stays to be looked at. */
export async function createSettlingGateway(options: TestGatewayOptions & { readonly onStep?: StepHook }) {
  const { onStep, ...given } = options
  const clock = createVirtualClock(TEST_START)
  const outbox = createMemoryOutbox()
  const { log, metrics } = recordTelemetry()
  let ids = 0
  const random = given.services?.random ?? (() => 0)
  const createId = () => `own-${++ids}`
  const parts = { outbox, clock, random, createId, log, metrics, wake: () => {}, ...(onStep && { onStep }) }
  const events = createEventBus(parts)
  const gateway = await createTestGateway({ ...given, services: { ...given.services, clock, createId, events } })
  const settler = createSettler({ ...parts, ask: gateway.ask, eventSchema: () => undefined, isInCharge: () => true })
  return {
    gateway,
    clock,
    outbox,
    settler,
    /** Every event that is due. */
    committed: async () => (await outbox.list('committed', 10_000)).flatMap(({ event }) => event ?? []),
  }
}
