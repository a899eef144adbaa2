import type { Entry } from './message.ts'
import type { Queue } from './queue.ts'

/** Who takes messages from a queue. */
export interface QueueConsumer {
  /** Whether it may be given one more message now. */
  readonly canTake: boolean
  readonly exclusive: boolean
  deliver(queue: Queue, entry: Entry): void
  /** The queue is gone; nothing more will come. */
  cancelled(): void
}

/** The consumers of one queue, who get their turn one after the other. */
export class ConsumerLine {
  readonly #consumers: QueueConsumer[] = []

  get length(): number {
    return this.#consumers.length
  }

  get hasExclusive(): boolean {
    return this.#consumers.some((consumer) => consumer.exclusive)
  }

  add(consumer: QueueConsumer): void {
    this.#consumers.push(consumer)
  }

  /** Returns whether it was there. */
  remove(consumer: QueueConsumer): boolean {
    const index = this.#consumers.indexOf(consumer)
    if (index >= 0) this.#consumers.splice(index, 1)
    return index >= 0
  }

  /** Empties the line and returns who stood in it. */
  takeAll(): QueueConsumer[] {
    return this.#consumers.splice(0)
  }

  /** The consumer whose turn it is; it goes to the end of the line. */
  next(): QueueConsumer | undefined {
    const index = this.#consumers.findIndex((consumer) => consumer.canTake)
    if (index < 0) return undefined
    const [consumer] = this.#consumers.splice(index, 1)
    if (consumer !== undefined) this.#consumers.push(consumer)
    return consumer
  }
}
