import type { CloudEvent, EventAddress } from '../core/events.ts'

/** Whether events can be handed over right now, and if not, why. */
export type PublisherState =
  /** Has not reached the broker yet and has not failed either. */
  | { readonly name: 'connecting' }
  /** Connected. `refusal` says which exchange or queue the broker refuses, if it does: its events wait, others pass. */
  | { readonly name: 'ready'; readonly refusal?: string }
  /** Connected, but the broker asked for a pause (memory or disk alarm). */
  | { readonly name: 'blocked'; readonly reason: string }
  /** Not connected; tries again by itself. */
  | { readonly name: 'away'; readonly reason: string }
  | { readonly name: 'closed' }

/** Hands events to a broker. */
export interface Publisher {
  readonly state: PublisherState
  /**
   * `confirmed`: the broker has it. `returned`: the broker has no queue for it, so sending it again is no use.
   * Rejects when nobody knows (connection lost, no answer in time, negative acknowledgement): send the same event
   * again later. Rejects with `UnpublishableError` when this event can never be sent. `mayStill` is asked right before
   * the event is written to the connection, which may be a while later; nothing is sent when it says no.
   */
  publish(event: CloudEvent, address: EventAddress, mayStill?: () => boolean): Promise<'confirmed' | 'returned'>
  /** Calls `listener` each time publishing becomes possible; the returned function ends that. */
  onReady(listener: () => void): () => void
  /** Ends the connection; what is in flight rejects. */
  close(): Promise<void>
}

/** This event can never be sent, e.g. because it is larger than a message may be. */
export class UnpublishableError extends Error {
  override readonly name = 'UnpublishableError'
}
