import type { QueueConsumer } from '../consumer-line.ts'
import type { Entry } from '../message.ts'
import type { Queue } from '../queue.ts'

export interface ConsumerOptions {
  readonly tag: string
  readonly queue: Queue
  readonly noAck: boolean
  readonly exclusive: boolean
  /** Most messages delivered and not settled; 0 is without limit. */
  readonly prefetch: number
}

/** What a consumer needs from its channel. */
export interface ConsumerHost {
  readonly takesDeliveries: boolean
  /** Whether the prefetch of the whole channel leaves room. */
  readonly hasCredit: boolean
  deliverTo(consumer: Consumer, entry: Entry): void
  cancelledByBroker(consumer: Consumer): void
}

/** One basic.consume: takes messages from its queue as long as its prefetch, its channel and the connection allow. */
export class Consumer implements QueueConsumer {
  readonly tag: string
  readonly queue: Queue
  readonly noAck: boolean
  readonly exclusive: boolean
  /** Delivered and not settled. */
  unsettled = 0
  readonly #prefetch: number
  readonly #host: ConsumerHost

  constructor({ tag, queue, noAck, exclusive, prefetch }: ConsumerOptions, host: ConsumerHost) {
    this.tag = tag
    this.queue = queue
    this.noAck = noAck
    this.exclusive = exclusive
    this.#prefetch = prefetch
    this.#host = host
  }

  get canTake(): boolean {
    if (!this.#host.takesDeliveries) return false
    if (this.noAck) return true
    return this.#host.hasCredit && (this.#prefetch === 0 || this.unsettled < this.#prefetch)
  }

  deliver(_queue: Queue, entry: Entry): void {
    this.#host.deliverTo(this, entry)
  }

  cancelled(): void {
    this.#host.cancelledByBroker(this)
  }
}
