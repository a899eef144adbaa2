import { GatewayError } from '../../core/errors.ts'
import type { EventBus } from '../../core/events.ts'

/** Refuses every request that would announce an event: an order taken without a durable note of it could be lost. */
export const unavailableEvents: EventBus = {
  intend: refuse,
  accept: refuse,
  status: async () => undefined,
}

async function refuse(): Promise<never> {
  throw new GatewayError('not-implemented', {
    detail: 'This route announces events, and the gateway on Workers has no outbox to keep them in yet',
  })
}
