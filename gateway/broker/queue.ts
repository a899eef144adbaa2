import type { Clock } from '../core/clock.ts'
import { Alarm } from './alarm.ts'
import type { Content } from './codec/frames.ts'
import type { DeathReason } from './dead-letter.ts'
import { withDeliveryCount } from './delivery-count.ts'
import type { MemoryBudget } from './memory-budget.ts'
import { type Entry, type Message, storedBytesOf } from './message.ts'
import type { QueueSettings } from './queue-settings.ts'
import { ReadyList } from './ready-list.ts'

/** Who takes messages from a queue. */
export interface QueueConsumer {
  /** Whether it may be given one more message now. */
  readonly canTake: boolean
  readonly exclusive: boolean
  deliver(queue: Queue, entry: Entry): void
  /** The queue is gone; nothing more will come. */
  cancelled(): void
}

/** What a queue is declared as; declaring it again must say the same. */
export interface QueueDeclaration {
  readonly name: string
  /** Kept and compared. Nothing survives a restart in this version. */
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
  readonly budget: MemoryBudget
  deadLetter(queue: Queue, message: Message, reason: DeathReason): void
  /** An auto-delete queue has lost its last consumer. */
  unused(queue: Queue): void
}

/** One queue: ready messages in order, consumers in turn, expiry, dead letters. */
export class Queue {
  readonly declaration: QueueDeclaration
  readonly #host: QueueHost
  readonly #ready = new ReadyList()
  readonly #consumers: QueueConsumer[] = []
  readonly #expiry: Alarm
  #lastPosition = 0
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
    return this.#consumers.some((consumer) => consumer.exclusive)
  }

  /** Whether a message can be taken: false only for a full queue that refuses instead of dropping its oldest. */
  get accepts(): boolean {
    const { 'x-max-length': most, 'x-overflow': overflow } = this.declaration.settings
    return most === undefined || overflow === 'drop-head' || this.#ready.length < most
  }

  enqueue(message: Message): void {
    this.#host.budget.take(storedBytesOf(message))
    this.#lastPosition += 1
    const ttlMs = Math.min(message.expirationMs ?? Infinity, this.declaration.settings['x-message-ttl'] ?? Infinity)
    const entry: Entry = {
      message,
      position: this.#lastPosition,
      expiresAt: ttlMs === Infinity ? undefined : this.#host.clock.now() + ttlMs,
      redelivered: false,
      returns: 0,
    }
    // A time to live of zero means "now or never": a consumer that waits gets it, the clock is not asked.
    const consumer = this.#ready.length === 0 ? this.#nextConsumer() : undefined
    if (consumer !== undefined) {
      this.#deliver(consumer, entry)
      return
    }
    this.#ready.append(entry)
    this.#dropOverflow()
    this.dispatch()
  }

  /** Gives ready messages to consumers that can take them, each in turn. Call it whenever either may have become true. */
  dispatch(): void {
    this.#expire()
    while (this.#ready.length > 0) {
      const consumer = this.#nextConsumer()
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
    if (entry !== undefined) this.#unsettled += 1
    this.#watchExpiry()
    return entry
  }

  /** What a consumer gets to see of an entry: from a quorum queue that includes how often it came back. */
  contentOf(entry: Entry): Content {
    const { message, returns } = entry
    const counts = this.declaration.settings['x-queue-type'] === 'quorum' && returns > 0
    return counts ? { body: message.body, properties: withDeliveryCount(message.properties, returns) } : message
  }

  acknowledge(entry: Entry): void {
    this.#unsettled -= 1
    this.#forget(entry)
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
      entry.redelivered = true
      entry.returns += 1
      if (this.#deleted) this.#forget(entry)
      else if (entry.returns > limit) this.#die(entry, 'delivery_limit')
      else this.#ready.putBack(entry)
    }
    this.#dropOverflow()
    this.dispatch()
  }

  addConsumer(consumer: QueueConsumer): void {
    this.#consumers.push(consumer)
    this.dispatch()
  }

  removeConsumer(consumer: QueueConsumer): void {
    const index = this.#consumers.indexOf(consumer)
    if (index < 0) return
    this.#consumers.splice(index, 1)
    if (this.declaration.autoDelete && this.#consumers.length === 0) this.#host.unused(this)
  }

  /** Discards all ready messages and returns how many there were. */
  purge(): number {
    const entries = this.#ready.takeAll()
    for (const entry of entries) this.#forget(entry)
    this.#watchExpiry()
    return entries.length
  }

  /** Ends the queue: its messages are discarded, its consumers told. Returns how many messages were ready. */
  delete(): number {
    this.#deleted = true
    const count = this.purge()
    for (const consumer of this.#consumers.splice(0)) consumer.cancelled()
    return count
  }

  #deliver(consumer: QueueConsumer, entry: Entry): void {
    this.#unsettled += 1
    consumer.deliver(this, entry)
  }

  /** The consumer whose turn it is; it goes to the end of the line. */
  #nextConsumer(): QueueConsumer | undefined {
    const index = this.#consumers.findIndex((consumer) => consumer.canTake)
    if (index < 0) return undefined
    const [consumer] = this.#consumers.splice(index, 1)
    if (consumer !== undefined) this.#consumers.push(consumer)
    return consumer
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
    this.#forget(entry)
    if (!this.#deleted) this.#host.deadLetter(this, entry.message, reason)
  }

  #forget(entry: Entry): void {
    this.#host.budget.release(storedBytesOf(entry.message))
  }
}

function hasExpired(entry: Entry, now: number): boolean {
  return entry.expiresAt !== undefined && entry.expiresAt <= now
}
