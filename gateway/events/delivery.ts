import type { EventAddress, StepHook } from '../core/events.ts'
import { type DueEvent, OutboxStateError } from './outbox.ts'
import { UnpublishableError } from './publisher.ts'
import type { RelayParts } from './relay.ts'

/** The delivery of one event after another, each to its end. */
export interface Delivery {
  /** Resolves once the entry has left the committed ones; rejects when it has to be tried again. */
  deliver(entry: DueEvent): Promise<void>
  /** Forgets what earlier attempts at this entry have shown: it is done with, or another process's. */
  forget(id: string): void
}

/** Why an event waits, or is parked, for which the broker has no queue. */
export function whyReturned({ exchange, routingKey }: EventAddress): string {
  return `the broker returned it: no queue is bound to exchange "${exchange}" for "${routingKey}"`
}

/** A queue may be on its way: consumers that start together with the gateway bind theirs a moment later. */
const RETURNED_PATIENCE_MS = 30_000

type Parts = Omit<RelayParts, 'random'> & { readonly onStep?: StepHook | undefined }

/** Delivers from the outbox to the broker: an entry is marked when the broker has confirmed it, or parked with the reason. */
export function createDelivery({ outbox, publisher, lease, clock, log, metrics, onStep }: Parts): Delivery {
  /** When the broker first gave an entry back. */
  const returnedAtMs = new Map<string, number>()
  /** Confirmed, but the outbox could not take note: not to be published again. */
  const confirmed = new Set<string>()

  /** Asked right before an event is written to the connection. */
  function mayStill(): boolean {
    if (!lease.isHeld) return false
    metrics.count('sluice_events_published_total')
    return true
  }

  /** Why the event is given up, or `undefined` when it has been delivered; rejects when it has to be tried again. */
  async function publish({ id, event, address }: DueEvent): Promise<string | undefined> {
    try {
      const publishing = publisher.publish(event, address, mayStill)
      if (onStep) {
        publishing.catch(() => {})
        await onStep('during-publish')
      }
      if ((await publishing) === 'confirmed') return undefined
    } catch (error) {
      if (error instanceof UnpublishableError) return error.message
      throw error
    }
    metrics.count('sluice_events_returned_total')
    const reason = whyReturned(address)
    const firstMs = returnedAtMs.get(id) ?? clock.monotonic()
    returnedAtMs.set(id, firstMs)
    if (clock.monotonic() - firstMs >= RETURNED_PATIENCE_MS) return reason
    throw new Error(reason)
  }

  async function park({ id, event }: DueEvent, reason: string): Promise<void> {
    try {
      await outbox.park(id, reason, clock.now())
    } catch (error) {
      // Another process, which has the lease by now, has delivered or parked it.
      if (error instanceof OutboxStateError) return
      throw error
    }
    metrics.count('sluice_events_parked_total')
    log.error('Parked an event', { id, event: event.id, type: event.type, subject: event.subject, reason })
  }

  return {
    async deliver(entry) {
      const { id } = entry
      if (!confirmed.has(id)) {
        const refusal = await publish(entry)
        if (refusal !== undefined) return park(entry, refusal)
        confirmed.add(id)
        metrics.count('sluice_events_confirmed_total')
        await onStep?.('after-confirm-before-mark')
      }
      await outbox.delivered(id, clock.now())
    },
    forget(id) {
      returnedAtMs.delete(id)
      confirmed.delete(id)
    },
  }
}
