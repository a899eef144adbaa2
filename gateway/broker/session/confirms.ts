/** Publisher confirms of one channel: numbers what is published and acknowledges several at once where it can. */
export class Confirms {
  readonly #send: (method: 'basic.ack' | 'basic.nack', deliveryTag: number, multiple: boolean) => void
  #isSelected = false
  #lastTag = 0
  #sentUpTo = 0

  constructor(send: (method: 'basic.ack' | 'basic.nack', deliveryTag: number, multiple: boolean) => void) {
    this.#send = send
  }

  get isSelected(): boolean {
    return this.#isSelected
  }

  select(): void {
    this.#isSelected = true
  }

  /** The broker has the message, or nobody wanted it; told to the publisher with the next `flush`. */
  accept(): void {
    if (this.#isSelected) this.#lastTag += 1
  }

  /** The broker does not have the message; told at once. */
  refuse(): void {
    this.flush()
    this.#lastTag += 1
    this.#sentUpTo = this.#lastTag
    this.#send('basic.nack', this.#lastTag, false)
  }

  /** Sends what is owed. */
  flush(): void {
    const owed = this.#lastTag - this.#sentUpTo
    if (owed === 0) return
    this.#sentUpTo = this.#lastTag
    this.#send('basic.ack', this.#lastTag, owed > 1)
  }
}
