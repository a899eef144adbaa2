import type { Clock } from '../core/clock.ts'
import { Alarm } from './alarm.ts'
import type { Content } from './codec/frames.ts'
import { ConsumerLine, type QueueConsumer } from './consumer-line.ts'
import type { DeathReason } from './dead-letter.ts'
import { withDeliveryCount } from './delivery-count.ts'
import type { Entry, Message } from './message.ts'
import type { QueueSettings } from './queue-settings.ts'
import { ReadyList } from './ready-list.ts'
import type { Shelf } from './shelf.ts'
import type { StoredEntry } from './storage.ts'

/** What a queue is declared as; declaring it again must say the same. */
export interface QueueDeclaration {
  readonly name: string
  /** Whether it outlives the broker, with its persistent messages, when the broker has a storage. */
  readonly durable: boolean
  /** Deleted with its last consumer. */
  readonly autoDelete: boolean
  /** The connection it belongs to and dies with. */
  readonly owner: object | undefined
  readonly settings: QueueSettings
}

/** What a queue needs from the broker it is in. */
export interface QueueHost {
  readonly clock: Clock
  readonly shelf: Shelf
  /** A message died: sees to its dead letter, then to `forget`. */
  bury(queue: Queue, entry: Entry, reason: DeathReason): void
  /** An auto-delete queue has lost its last consumer. */
  unused(queue: Queue): void
}

/** One queue: ready messages in order, consumers in turn, expiry, dead letters. */
export class Queue {
  readonly declaration: QueueDeclaration
  readonly #host: QueueHost
  readonly #ready = new ReadyList()
  readonly #consumers = new ConsumerLine()
  readonly #expiry: Alarm
  /** Died here and kept until their dead letters find a place. */
  heldCount = 0
  #unsettled = 0
  #deleted = false

  constructor(declaration: QueueDeclaration, host: QueueHost) {
    this.declaration = declaration
    this.#host = host
    this.#expiry = new Alarm(host.clock, () => this.dispatch())
  }

  get name(): string {
    return this.declaration.name
  }

  get isDeleted(): boolean {
    return this.#deleted
  }

  get readyCount(): number {
    return this.#ready.length
  }

  /** Messages delivered and neither acknowledged nor given back. */
  get unsettledCount(): number {
    return this.#unsettled
  }

  get consumerCount(): number {
    return this.#consumers.length
  }

  get hasExclusiveConsumer(): boolean {
    return this.#consumers.hasExclusive
  }

  /** Whether a message can be taken: false only for a full queue that refuses instead of dropping its oldest. */
  get accepts(): boolean {
    const { 'x-max-length': most, 'x-overflow': overflow } = this.declaration.settings
    return most === undefined || overflow === 'drop-head' || this.#ready.length + this.heldCount < most
  }

  /** Whether a restart of the broker leaves such a message in the queue. */
  keeps(message: Message): boolean {
    return this.#host.shelf.keeps(message)
  }

  enqueue(message: Message): Entry {
    const ttlMs = Math.min(message.expirationMs ?? Infinity, this.declaration.settings['x-message-ttl'] ?? Infinity)
    const expiresAt = ttlMs === Infinity ? undefined : this.#host.clock.now() + ttlMs
    const entry = this.#host.shelf.put(message, expiresAt)
    // A time to live of zero means "now or never": a consumer that waits gets it, the clock is not asked.
    const consumer = this.#ready.length === 0 ? this.#consumers.next() : undefined
    if (consumer !== undefined) {
      this.#deliver(consumer, entry)
      return entry
    }
    this.#ready.append(entry)
    this.#dropOverflow()
    this.dispatch()
    return entry
  }

  /** Puts back, in order, what an earlier broker has left. */
  restore(stored: StoredEntry): void {
    this.#ready.append(this.#host.shelf.restore(stored))
  }

  /** The disk does not take a message: it is gone unless it has been delivered, and then nothing outlives the broker. */
  withdraw(entry: Entry): void {
    if (this.#ready.remove(entry)) this.forget(entry)
    else this.#host.shelf.withdraw(entry)
    this.#watchExpiry()
  }

  /** Gives ready messages to consumers that can take them, each in turn. Call it whenever either may have become true. */
  dispatch(): void {
    this.#expire()
    while (this.#ready.length > 0) {
      const consumer = this.#consumers.next()
      if (consumer === undefined) break
      const entry = this.#ready.takeFirst()
      if (entry !== undefined) this.#deliver(consumer, entry)
      this.#expire()
    }
    this.#watchExpiry()
  }

  /** Takes the first ready message for basic.get. It must be settled like a delivered one. */
  takeFirst(): Entry | undefined {
    this.#expire()
    const entry = this.#ready.takeFirst()
    if (entry !== undefined) this.#handOut(entry)
    this.#watchExpiry()
    return entry
  }

  /** The message of an entry, from the disk if need be. */
  messageOf(entry: Entry): Message {
    return this.#host.shelf.messageOf(entry)
  }

  /** What a consumer gets to see of an entry: from a quorum queue that includes how often it came back. */
  contentOf({ returns }: Entry, message: Message): Content {
    const counts = this.declaration.settings['x-queue-type'] === 'quorum' && returns > 0
    return counts ? { body: message.body, properties: withDeliveryCount(message.properties, returns) } : message
  }

  acknowledge(entry: Entry): void {
    this.#unsettled -= 1
    this.forget(entry)
  }

  reject(entry: Entry): void {
    this.#unsettled -= 1
    this.#die(entry, 'rejected')
  }

  /** Takes delivered messages back to where they were, or to the dead letters once they came back too often. */
  requeue(entries: readonly Entry[]): void {
    const limit = this.declaration.settings['x-delivery-limit'] ?? Infinity
    for (const entry of entries) {
      this.#unsettled -= 1
      this.#host.shelf.cameBack(entry)
      if (this.#deleted) this.forget(entry)
      else if (entry.returns > limit) this.#die(entry, 'delivery_limit')
      else this.#ready.putBack(entry)
    }
    this.#dropOverflow()
    this.dispatch()
  }

  addConsumer(consumer: QueueConsumer): void {
    this.#consumers.add(consumer)
    this.dispatch()
  }

  removeConsumer(consumer: QueueConsumer): void {
    if (!this.#consumers.remove(consumer)) return
    if (this.declaration.autoDelete && this.#consumers.length === 0) this.#host.unused(this)
  }

  /** Discards all ready messages and returns how many there were. */
  purge(): number {
    const entries = this.#ready.takeAll()
    for (const entry of entries) this.forget(entry)
    this.#watchExpiry()
    return entries.length
  }

  /** Ends the queue: its messages are discarded, its consumers told. Returns how many messages were ready. */
  delete(): number {
    this.#deleted = true
    const count = this.purge()
    for (const consumer of this.#consumers.takeAll()) consumer.cancelled()
    return count
  }

  /** The broker ends and the queue with it, or until the next one opens the same storage. */
  end(): void {
    this.#expiry.set(undefined)
    this.#host.shelf.end()
  }

  /** An entry is done with. */
  forget(entry: Entry): void {
    this.#host.shelf.forget(entry)
  }

  #deliver(consumer: QueueConsumer, entry: Entry): void {
    this.#handOut(entry)
    consumer.deliver(this, entry)
  }

  #handOut(entry: Entry): void {
    this.#unsettled += 1
    this.#host.shelf.handOut(entry)
  }

  #dropOverflow(): void {
    const { 'x-max-length': most = Infinity, 'x-overflow': overflow } = this.declaration.settings
    while (overflow === 'drop-head' && this.#ready.length > most) {
      const entry = this.#ready.takeFirst()
      if (entry !== undefined) this.#die(entry, 'maxlen')
    }
  }

  /** Only the head of the queue can expire, as in RabbitMQ: a message behind a longer-lived one waits its turn. */
  #expire(): void {
    const now = this.#host.clock.now()
    for (let first = this.#ready.first(); first !== undefined && hasExpired(first, now); first = this.#ready.first()) {
      this.#ready.takeFirst()
      this.#die(first, 'expired')
    }
  }

  #watchExpiry(): void {
    this.#expiry.set(this.#ready.first()?.expiresAt)
  }

  #die(entry: Entry, reason: DeathReason): void {
    if (this.#deleted) this.forget(entry)
    else this.#host.bury(this, entry, reason)
  }
}

function hasExpired(entry: Entry, now: number): boolean {
  return entry.expiresAt !== undefined && entry.expiresAt <= now
}
