import { GatewayError } from '../../core/errors.ts'
import type { EventBus } from '../../core/events.ts'

/** Refuses every request that needs the outbox: an order taken without a durable note of it could be lost. */
export const unavailableEvents: EventBus = {
  intend: refuse,
  accept: refuse,
  status: refuse,
}

async function refuse(): Promise<never> {
  throw new GatewayError('not-implemented', {
    detail: 'This route needs an outbox for events, and the gateway on Workers has none yet',
  })
}
