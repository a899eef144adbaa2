type Bytes = Uint8Array<ArrayBuffer>

/** What is still to be sent. Nothing is dropped or asked for anew when the client reads slowly, or not at all. */
export class Pipe {
  readonly #waiting: Bytes[] = []
  readonly #left: () => void
  #isClosed = false
  #wake: (() => void) | undefined

  /** `left` is told when nobody reads any more. */
  constructor(left: () => void) {
    this.#left = left
  }

  put(bytes: Bytes): void {
    this.#waiting.push(bytes)
    this.#wake?.()
  }

  /** After what waits there is no more. */
  close(): void {
    this.#isClosed = true
    this.#wake?.()
  }

  /** Gives one piece each time the client has room for it. */
  get stream(): ReadableStream<Bytes> {
    return new ReadableStream<Bytes>(
      {
        pull: async (controller) => {
          if (this.#waiting.length === 0 && !this.#isClosed) await this.#next()
          const bytes = this.#waiting.shift()
          if (bytes) controller.enqueue(bytes)
          else controller.close()
        },
        cancel: () => {
          this.#waiting.length = 0
          this.close()
          this.#left()
        },
      },
      { highWaterMark: 0 },
    )
  }

  #next(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}
