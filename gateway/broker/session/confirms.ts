/**
 * Publisher confirms of one channel: numbers what is published and acknowledges several at once where it can. Messages
 * that need no storing are confirmed before earlier ones that do.
 */
export class Confirms {
  readonly #send: (method: 'basic.ack' | 'basic.nack', deliveryTag: number, multiple: boolean) => void
  /** Published, and what became of it is not known yet. Ascending. */
  readonly #open = new Set<number>()
  /** Accepted, and the publisher not told yet. */
  #accepted: number[] = []
  #lastTag = 0
  #state: 'off' | 'on' | 'ended' = 'off'

  constructor(send: (method: 'basic.ack' | 'basic.nack', deliveryTag: number, multiple: boolean) => void) {
    this.#send = send
  }

  get isSelected(): boolean {
    return this.#state === 'on'
  }

  select(): void {
    if (this.#state === 'off') this.#state = 'on'
  }

  /** The channel is gone: nobody is to be told anything more. */
  end(): void {
    this.#state = 'ended'
  }

  /** The tag of a message that has arrived; means nothing while confirms are off. */
  next(): number {
    if (this.#state !== 'on') return 0
    this.#lastTag += 1
    this.#open.add(this.#lastTag)
    return this.#lastTag
  }

  /** The broker has the message for good, or nobody wanted it; told with the next `flush`, in a microtask at the latest. */
  accept(tag: number): void {
    if (!this.#open.delete(tag)) return
    if (this.#accepted.length === 0) queueMicrotask(() => this.flush())
    this.#accepted.push(tag)
  }

  /** The broker does not have the message; told at once. */
  refuse(tag: number): void {
    this.flush()
    if (this.#open.delete(tag) && this.#state === 'on') this.#send('basic.nack', tag, false)
  }

  /** Sends what is owed. */
  flush(): void {
    const accepted = this.#accepted
    if (accepted.length === 0) return
    this.#accepted = []
    if (this.#state !== 'on') return
    const [firstOpen = Infinity] = this.#open
    const settled = accepted.filter((tag) => tag < firstOpen)
    if (settled.length > 0)
      this.#send(
        'basic.ack',
        settled.reduce((a, b) => Math.max(a, b)),
        settled.length > 1,
      )
    for (const tag of accepted) if (tag > firstOpen) this.#send('basic.ack', tag, false)
  }
}
