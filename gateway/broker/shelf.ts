import { contentBytesOf, diskBytesOf, type Entry, type Message, memoryBytesOf } from './message.ts'
import type { Room } from './room.ts'
import type { BrokerStorage, StoredEntry } from './storage.ts'

/**
 * With one synced write so many messages are marked as perhaps delivered before the first of them is, so that after a
 * crash none that was delivered looks new and at most so many that were not look old.
 */
const MARKED_AHEAD = 256

/** Where a queue that outlives the broker is kept. */
export interface QueuePlace {
  readonly storage: BrokerStorage
  readonly id: number
  /** Whether transient messages are kept, too, as quorum queues do. */
  readonly keepsAll: boolean
  readonly deliveredTo: number
}

/** Holds the messages of one queue, in memory and, for those that are to outlive the broker, on the disk. */
export class Shelf {
  readonly #room: Room
  readonly #nextPosition: () => number
  readonly #place: QueuePlace | undefined
  #marked: number
  #delivered: number

  /** `place` is undefined for a queue that ends with the broker. */
  constructor(room: Room, nextPosition: () => number, place: QueuePlace | undefined) {
    this.#room = room
    this.#nextPosition = nextPosition
    this.#place = place
    this.#marked = place?.deliveredTo ?? 0
    this.#delivered = this.#marked
  }

  /** Whether such a message is written to the disk. */
  keeps(message: Message): boolean {
    return this.#place !== undefined && (message.isPersistent || this.#place.keepsAll)
  }

  put(message: Message, expiresAt: number | undefined): Entry {
    const entry: Entry = {
      message,
      position: this.#nextPosition(),
      contentBytes: contentBytesOf(message),
      expiresAt: expiresAt === undefined ? undefined : Math.ceil(expiresAt),
      redelivered: false,
      returns: 0,
      kept: 'memory',
    }
    this.#room.memory.take(memoryBytesOf(entry))
    if (this.#place !== undefined && this.keeps(message)) this.#note(this.#place, entry, message)
    return entry
  }

  /** The entry of a message that an earlier broker has left. */
  restore({ position, contentBytes, expiresAt, returns }: StoredEntry): Entry {
    const redelivered = position <= this.#delivered || returns > 0
    const entry: Entry = { message: undefined, position, contentBytes, expiresAt, redelivered, returns, kept: 'disk' }
    this.#room.memory.take(memoryBytesOf(entry))
    this.#room.disk.take(diskBytesOf(entry))
    return entry
  }

  messageOf(entry: Entry): Message {
    const message = entry.message ?? this.#place?.storage.readMessage(entry.position)
    if (message === undefined)
      throw new TypeError(`The message at ${entry.position} is in memory no more and was never stored`)
    return message
  }

  /** The entry leaves the queue for good. */
  forget(entry: Entry): void {
    if (entry.kept === 'gone') return
    this.withdraw(entry)
    this.#room.memory.release(memoryBytesOf(entry))
    entry.kept = 'gone'
  }

  /** Takes the entry off the disk and leaves it in memory. */
  withdraw(entry: Entry): void {
    if (entry.kept !== 'noted' && entry.kept !== 'disk') return
    this.#place?.storage.dropMessage(entry.position)
    this.#room.disk.release(diskBytesOf(entry))
    entry.kept = 'memory'
  }

  /** The entry is about to be delivered: after a crash it must be known as one that perhaps was. */
  handOut(entry: Entry): void {
    if (this.#place === undefined || entry.kept === 'memory') return
    this.#delivered = Math.max(this.#delivered, entry.position)
    if (entry.position <= this.#marked) return
    const { storage, id } = this.#place
    // What is not on the disk yet gets there together with its mark.
    const isOnDisk = entry.kept === 'disk'
    this.#marked = entry.position + (isOnDisk ? MARKED_AHEAD : 0)
    storage.keepDelivered(id, this.#marked)
    if (isOnDisk) writeNow(storage)
  }

  /** The entry came back unsettled. */
  cameBack(entry: Entry): void {
    entry.redelivered = true
    entry.returns += 1
    if (this.#place?.keepsAll && entry.kept !== 'memory') this.#place.storage.keepReturns(entry.position, entry.returns)
  }

  /** The broker ends in good order: what was marked ahead and not delivered is not marked any more. */
  end(): void {
    if (this.#marked > this.#delivered) this.#place?.storage.keepDelivered(this.#place.id, this.#delivered)
  }

  #note({ storage, id }: QueuePlace, entry: Entry, message: Message): void {
    entry.kept = 'noted'
    this.#room.disk.take(diskBytesOf(entry))
    storage.keepMessage({ queue: id, position: entry.position, message, expiresAt: entry.expiresAt })
    const written = (failure: Error | undefined): void => {
      if (entry.kept !== 'noted') return
      if (failure === undefined) this.#written(entry)
      else storage.whenWritten(written)
    }
    storage.whenWritten(written)
  }

  #written(entry: Entry): void {
    entry.kept = 'disk'
    if (!this.#room.isCrowded) return
    const before = memoryBytesOf(entry)
    entry.message = undefined
    this.#room.memory.release(before - memoryBytesOf(entry))
  }
}

/** Writes what is noted if that is possible; if not, it stays noted and is tried again. */
export function writeNow(storage: BrokerStorage | undefined): void {
  try {
    storage?.flush()
  } catch {
    // The storage tells of its failures itself.
  }
}
