import type { Clock } from '../../../gateway/core/clock.ts'

type Bytes = Uint8Array<ArrayBuffer>

export interface PipeOptions {
  readonly clock: Clock
  /** Sent when a reader has waited for so long that proxies on the way may take the connection for dead. */
  readonly sign?: Bytes | undefined
  /** Told when nobody reads any more. */
  readonly left: () => void
}

/** The silence after which a stream says that it is alive: what WHATWG HTML §9.2.7 advises for proxies that give up early. */
const SILENCE_MS = 15_000

/** What is still to be sent. Nothing is dropped or asked for anew when the client reads slowly, or not at all. */
export class Pipe {
  readonly #waiting: Bytes[] = []
  readonly #options: PipeOptions
  #isClosed = false
  #wake: (() => void) | undefined

  constructor(options: PipeOptions) {
    this.#options = options
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
          const isSilent = this.#waiting.length === 0 && !this.#isClosed && (await this.#next()) === 'silence'
          const bytes = isSilent ? this.#options.sign : this.#waiting.shift()
          if (bytes) controller.enqueue(bytes)
          else controller.close()
        },
        cancel: () => {
          this.#waiting.length = 0
          this.close()
          this.#options.left()
        },
      },
      { highWaterMark: 0 },
    )
  }

  #next(): Promise<'something' | 'silence'> {
    const { clock, sign } = this.#options
    return new Promise((resolve) => {
      const cancel = sign ? clock.after(SILENCE_MS, () => resolve('silence')) : () => {}
      this.#wake = () => {
        cancel()
        resolve('something')
      }
    })
  }
}
