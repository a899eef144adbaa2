import type { EventSchema } from '../../gateway/core/event-schema.ts'
import type { IntentDraft, Settlement } from '../../gateway/core/events.ts'
import type { AskUpstream, OwnRequest } from '../../gateway/core/own-request.ts'
import { createMemoryOutbox } from '../../gateway/events/memory-outbox.ts'
import { createSettler } from '../../gateway/events/settler.ts'
import { recordTelemetry } from './recorded-telemetry.ts'
import { createVirtualClock } from './virtual-clock.ts'

/** What an upstream does with a request to settle; throw to be unreachable. */
export type Answering = (request: OwnRequest, upstream: string) => Response | Promise<Response>

/** A request to place an order, as it would be kept. */
export function settlementOf(key: string, changes: Partial<Settlement> = {}): Settlement {
  return {
    mode: 'replay',
    upstream: 'orders',
    request: { method: 'POST', path: '/orders', headers: [['idempotency-key', key]], body: btoa(`{"key":"${key}"}`) },
    withinMs: 600_000,
    recipe: {
      type: 'order.placed',
      source: 'urn:shop',
      exchange: 'shop.events',
      routingKey: 'order.placed',
      subject: '{response.body.id}',
      data: '{response.body}',
      values: {},
      maxBody: 10_000,
    },
    ...changes,
  }
}

/** A settler with an outbox in memory, on a clock that stands still until the test moves it. */
export function createSettlerBench(
  answer: Answering,
  eventSchema: (type: string) => EventSchema | undefined = () => undefined,
  random: () => number = () => 0,
) {
  const clock = createVirtualClock()
  const outbox = createMemoryOutbox()
  const telemetry = recordTelemetry()
  const asked: { readonly atMs: number; readonly upstream: string; readonly request: OwnRequest }[] = []
  const startMs = clock.now()
  let inCharge = true
  let woken = 0
  const ask: AskUpstream = async (upstream, request) => {
    asked.push({ atMs: clock.now() - startMs, upstream, request })
    return await answer(request, upstream)
  }
  const settler = createSettler({
    outbox,
    clock,
    random,
    log: telemetry.log,
    metrics: telemetry.metrics,
    ask,
    eventSchema,
    isInCharge: () => inCharge,
    wake: () => woken++,
  })
  return {
    clock,
    outbox,
    settler,
    telemetry,
    /** Every request so far, in order; times count from the start. */
    asked,
    get woken() {
      return woken
    },
    charge(is: boolean): void {
      inCharge = is
    },
    /** Leaves an intent behind whose outcome nobody knows. */
    async leaveUnknown(id: string, changes: Partial<Settlement> = {}, draft: Partial<IntentDraft> = {}): Promise<void> {
      const settlement = settlementOf(`key-${id}`, changes)
      const common = { route: 'place-order', method: 'POST', path: '/orders?from=app' }
      await outbox.intend(id, { ...common, settlement, ...draft }, clock.now())
      await outbox.markUnknown(id, 'upstream-timeout')
    },
    stateOf: async (id: string) => (await outbox.find(id)) ?? { state: 'gone' as const },
  }
}
