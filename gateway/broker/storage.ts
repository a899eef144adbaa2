import type { ExchangeDeclaration } from './exchange.ts'
import type { Message } from './message.ts'
import type { QueueDeclaration } from './queue.ts'

/** A message in one queue, as it is stored. */
export interface StoredMessage {
  /** Number of the queue. */
  readonly queue: number
  readonly position: number
  readonly message: Message
  readonly expiresAt: number | undefined
}

/** What is known of a stored message without reading it. */
export interface StoredEntry {
  readonly queue: number
  readonly position: number
  readonly contentBytes: number
  readonly expiresAt: number | undefined
  readonly returns: number
}

export interface StoredQueue {
  /** A number no other queue has or had, of the same name or not. */
  readonly id: number
  readonly declaration: QueueDeclaration
  /** Messages up to this position may have been delivered. */
  readonly deliveredTo: number
}

export interface StoredBinding {
  readonly exchange: string
  /** Number of the queue. */
  readonly queue: number
  readonly routingKey: string
}

/** What an earlier broker has left. */
export interface StoredBroker {
  readonly exchanges: readonly ExchangeDeclaration[]
  readonly queues: readonly StoredQueue[]
  readonly bindings: readonly StoredBinding[]
  /** By position. */
  readonly messages: Iterable<StoredEntry>
}

/**
 * Keeps what must outlive the broker. Changes are noted at once and written soon: those noted in one turn of the event
 * loop are written together or not at all, so that a dead letter is never in two queues and never in none. What could
 * not be written stays noted and is tried again, until it is taken back.
 */
export interface BrokerStorage {
  /** To be called once, before anything else. */
  load(): StoredBroker
  keepExchange(declaration: ExchangeDeclaration): void
  /** With its bindings. */
  dropExchange(name: string): void
  keepQueue(id: number, declaration: QueueDeclaration): void
  /** With its bindings. Its messages are dropped one by one. */
  dropQueue(id: number): void
  keepBinding(binding: StoredBinding): void
  dropBinding(binding: StoredBinding): void
  keepMessage(stored: StoredMessage): void
  /** Also takes a message back that is noted and not written. */
  dropMessage(position: number): void
  keepReturns(position: number, returns: number): void
  keepDelivered(queue: number, position: number): void
  /** A message that has been written. Throws when it cannot be read. */
  readMessage(position: number): Message
  /** Calls back, in a later microtask, once all that is noted now has been written, or with why an attempt failed. */
  whenWritten(callback: (failure: Error | undefined) => void): void
  /** Writes what is noted, now; throws when that fails. */
  flush(): void
  /** Why the latest attempt to write failed. */
  readonly failure: string | undefined
  /** Called with `failure` whenever it has changed. */
  onFailure: (failure: string | undefined) => void
}
