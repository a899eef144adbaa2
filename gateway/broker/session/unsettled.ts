import type { Entry } from '../message.ts'
import { ProtocolError } from '../protocol-error.ts'
import type { Queue } from '../queue.ts'
import type { Consumer } from './consumer.ts'

/** A message handed to the client that it has not settled yet; `consumer` is undefined for basic.get. */
export interface Delivery {
  readonly entry: Entry
  readonly queue: Queue
  readonly consumer: Consumer | undefined
}

/** A channel's deliveries by tag, and the numbering of tags. */
export class Unsettled {
  readonly #deliveries = new Map<number, Delivery>()
  #lastTag = 0

  get count(): number {
    return this.#deliveries.size
  }

  /** A tag for a delivery that needs no settling. */
  nextTag(): number {
    this.#lastTag += 1
    return this.#lastTag
  }

  /** Remembers a delivery and returns its tag. */
  add(delivery: Delivery): number {
    const tag = this.nextTag()
    this.#deliveries.set(tag, delivery)
    if (delivery.consumer !== undefined) delivery.consumer.unsettled += 1
    return tag
  }

  /**
   * Removes the delivery of that tag, with `multiple` all up to it, tag 0 meaning the latest. Throws 406
   * PRECONDITION_FAILED for a tag that is not outstanding, which is what settling twice comes to.
   */
  take(tag: number, multiple: boolean): Delivery[] {
    if (multiple && tag === 0) return this.takeAll()
    if (!this.#deliveries.has(tag)) throw new ProtocolError(406, `unknown delivery tag ${tag}`)
    if (!multiple) return this.#remove([tag])
    const tags: number[] = []
    for (const candidate of this.#deliveries.keys()) {
      if (candidate > tag) break
      tags.push(candidate)
    }
    return this.#remove(tags)
  }

  takeAll(): Delivery[] {
    return this.#remove([...this.#deliveries.keys()])
  }

  #remove(tags: readonly number[]): Delivery[] {
    return tags.flatMap((tag) => {
      const delivery = this.#deliveries.get(tag)
      if (delivery === undefined) return []
      this.#deliveries.delete(tag)
      if (delivery.consumer !== undefined) delivery.consumer.unsettled -= 1
      return delivery
    })
  }
}

/** Gives deliveries back to their queues, each queue once, so that consumers see them again in their old order. */
export function requeue(deliveries: readonly Delivery[]): void {
  const byQueue = Map.groupBy(deliveries, (delivery) => delivery.queue)
  for (const [queue, given] of byQueue) queue.requeue(given.map((delivery) => delivery.entry))
}
