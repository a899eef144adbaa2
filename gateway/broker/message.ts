import type { BasicProperties } from './codec/properties.ts'
import { ProtocolError } from './protocol-error.ts'

/** A published message. It never changes: what differs from queue to queue is in the queue's `Entry`. */
export interface Message {
  /** The exchange it was published to, or dead-lettered to. */
  readonly exchange: string
  readonly routingKey: string
  /** Encoded as the publisher sent them, so that consumers get the same octets. */
  readonly properties: Uint8Array
  readonly body: Uint8Array
  /** The message's own time to live; undefined when it has none. */
  readonly expirationMs: number | undefined
  /** Whether its publisher wants it to outlive the broker: `delivery-mode` 2. */
  readonly isPersistent: boolean
}

/** What a message costs beside its octets: objects, map entries, array slots. An estimate on the safe side. */
const BOOKKEEPING_BYTES = 512

/** What is known of a message that is on the disk only. */
const INDEX_BYTES = 256

/** Octets of a message's own. */
export function contentBytesOf(message: Message): number {
  return message.body.length + message.properties.length
}

/** Octets one message counts for in one queue. */
export function storedBytesOf(message: Message): number {
  return contentBytesOf(message) + BOOKKEEPING_BYTES
}

/** The longest time to live RabbitMQ takes, too: just under 50 days. */
export const LONGEST_TTL_MS = 2 ** 32 - 1

/** The `expiration` property as milliseconds; throws 406 PRECONDITION_FAILED when it is no whole number of them. */
export function expirationMsOf({ expiration }: BasicProperties): number | undefined {
  if (expiration === undefined) return undefined
  const milliseconds = /^\d{1,10}$/.test(expiration) ? Number(expiration) : Number.NaN
  if (!(milliseconds <= LONGEST_TTL_MS)) {
    throw new ProtocolError(406, `invalid expiration '${expiration}': give milliseconds as decimal text, e.g. "5000"`)
  }
  return milliseconds
}

/** A message's place in one queue. */
export interface Entry {
  /** Undefined while it is only on the disk: ask the queue's `messageOf`. */
  message: Message | undefined
  /** Grows from message to message over all queues; decides where a requeued one belongs. */
  readonly position: number
  readonly contentBytes: number
  /** Milliseconds since the Unix epoch, whole. */
  readonly expiresAt: number | undefined
  redelivered: boolean
  /** How often it came back without being settled. */
  returns: number
  /** Where it is: `noted` is on its way to the disk, `gone` has left the queue. */
  kept: 'memory' | 'noted' | 'disk' | 'gone'
}

/** Octets an entry counts for in memory. */
export function memoryBytesOf({ message }: Entry): number {
  return message === undefined ? INDEX_BYTES : storedBytesOf(message)
}

/** Octets an entry counts for on the disk. */
export function diskBytesOf({ contentBytes }: Entry): number {
  return contentBytes + BOOKKEEPING_BYTES
}
