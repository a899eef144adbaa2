import type { Clock } from '../core/clock.ts'
import { type BrokerLimits, DEFAULT_LIMITS } from './limits.ts'
import { type Message, storedBytesOf } from './message.ts'
import { ProtocolError } from './protocol-error.ts'
import { Queue, type QueueDeclaration } from './queue.ts'
import { Room } from './room.ts'
import { Shelf, writeNow } from './shelf.ts'
import type { BrokerStorage, StoredBroker } from './storage.ts'
import { type QueueNumber, Topology } from './topology.ts'
import { Undertaker } from './undertaker.ts'

/**
 * What became of a published message. `refused` means that it is stored nowhere and must not be confirmed, `pending` that
 * this is only known once it has been written.
 */
export type PublishOutcome = 'stored' | 'pending' | 'unroutable' | 'refused'

/** Numbers for operators. */
export interface BrokerStats {
  readonly exchanges: number
  readonly queues: number
  /** Messages that wait for a consumer. */
  readonly ready: number
  /** Messages delivered and not acknowledged yet. */
  readonly unsettled: number
  /** Octets held in memory for messages, and for those still arriving. */
  readonly memoryBytes: number
  /** Octets of messages on the disk. */
  readonly diskBytes: number
}

export interface BrokerOptions {
  readonly clock: Clock
  readonly limits?: Partial<BrokerLimits>
  /** Keeps what is durable; without one everything ends with the broker. */
  readonly storage?: BrokerStorage | undefined
}

/**
 * Exchanges, queues and the messages in them. It knows no connections: sessions call it, and queues call their consumers
 * back. Refusals are `ProtocolError`s with the codes RabbitMQ uses. Throws when what is stored cannot be read.
 */
export class Broker {
  readonly clock: Clock
  readonly limits: BrokerLimits
  readonly room: Room
  readonly topology: Topology
  readonly #storage: BrokerStorage | undefined
  readonly #undertaker: Undertaker
  #lastNumber = 0

  constructor({ clock, limits, storage }: BrokerOptions) {
    this.clock = clock
    this.limits = { ...DEFAULT_LIMITS, ...limits }
    this.room = new Room(this.limits)
    this.#storage = storage
    this.topology = new Topology({
      limits: this.limits,
      storage,
      createQueue: (declaration, stored) => this.#createQueue(declaration, stored),
      nextNumber: () => this.#nextNumber(),
    })
    this.#undertaker = new Undertaker({ clock, route: (message) => this.topology.route(message) })
    if (storage === undefined) return
    storage.onFailure = (failure) => this.room.setFailure(failure)
    this.#restore(storage.load())
  }

  stats(): BrokerStats {
    const { queues, exchangeCount } = this.topology
    return {
      exchanges: exchangeCount,
      queues: queues.length,
      ready: queues.reduce((sum, queue) => sum + queue.readyCount, 0),
      unsettled: queues.reduce((sum, queue) => sum + queue.unsettledCount, 0),
      memoryBytes: this.room.memory.usedBytes,
      diskBytes: this.room.disk.usedBytes,
    }
  }

  /**
   * Stores a message in every queue its exchange routes it to: in all of them or, when one is full, in none. For
   * `pending`, `written` is called later, with the reason when the message could not be stored.
   */
  publish(message: Message, written: (failure: Error | undefined) => void): PublishOutcome {
    if (message.exchange !== '' && this.topology.exchange(message.exchange).declaration.internal) {
      throw new ProtocolError(403, `cannot publish to internal exchange '${message.exchange}' in vhost '/'`)
    }
    const queues = this.topology.route(message)
    if (queues.length === 0) return 'unroutable'
    const bytes = storedBytesOf(message)
    const keeping = queues.filter((queue) => queue.keeps(message)).length
    if (!this.room.memory.fits(bytes * queues.length) || !this.room.disk.fits(bytes * keeping)) {
      this.room.refused()
      return 'refused'
    }
    if (keeping > 0 && this.#storage?.failure !== undefined) return 'refused'
    if (!queues.every((queue) => queue.accepts)) return 'refused'
    const entries = queues.map((queue) => ({ queue, entry: queue.enqueue(message) }))
    if (keeping === 0) return 'stored'
    this.#storage?.whenWritten((failure) => {
      if (failure !== undefined) for (const { queue, entry } of entries) queue.withdraw(entry)
      written(failure)
    })
    return 'pending'
  }

  /** Discards the ready messages of a queue and returns how many there were. */
  purge(queue: Queue): number {
    const count = queue.purge()
    writeNow(this.#storage)
    return count
  }

  /** Deletes a queue with its messages and bindings; returns how many messages were ready. */
  deleteQueue(queue: Queue): number {
    const count = this.topology.deleteQueue(queue)
    writeNow(this.#storage)
    return count
  }

  /** Stops its timers and writes what is noted. To be called when no connection is left. */
  end(): void {
    this.#undertaker.end()
    for (const queue of this.topology.queues) queue.end()
    writeNow(this.#storage)
  }

  #createQueue(declaration: QueueDeclaration, stored: QueueNumber | undefined): Queue {
    const storage = this.#storage
    const keepsAll = declaration.settings['x-queue-type'] === 'quorum'
    const place = stored === undefined || storage === undefined ? undefined : { storage, keepsAll, ...stored }
    return new Queue(declaration, {
      clock: this.clock,
      shelf: new Shelf(this.room, () => this.#nextNumber(), place),
      bury: (queue, entry, reason) => this.#undertaker.bury(queue, entry, reason),
      unused: (queue) => this.topology.deleteQueue(queue),
    })
  }

  #restore(stored: StoredBroker): void {
    for (const { id, deliveredTo } of stored.queues) this.#lastNumber = Math.max(this.#lastNumber, id, deliveredTo)
    const queues = this.topology.restore(stored)
    for (const entry of stored.messages) {
      this.#lastNumber = Math.max(this.#lastNumber, entry.position)
      queues.get(entry.queue)?.restore(entry)
    }
    // What expired while nobody was there dies now, when all queues have their messages.
    for (const queue of queues.values()) queue.dispatch()
  }

  #nextNumber(): number {
    this.#lastNumber += 1
    return this.#lastNumber
  }
}
