import type { ChannelHost } from './channel-host.ts'

/** Reason texts are short strings. */
const LONGEST_REASON = 255

/** Tells a client that publishes when it should pause and when it may go on. For clients that announced they understand. */
export class PublishPause {
  readonly #host: Pick<ChannelHost, 'broker' | 'send'>
  #stopWatching: (() => void) | undefined
  #isTold = false

  constructor(host: Pick<ChannelHost, 'broker' | 'send'>) {
    this.#host = host
  }

  /** From its first message on; those who only consume must not be held up. */
  begin(): void {
    if (this.#stopWatching !== undefined) return
    this.#stopWatching = this.#host.broker.room.watch(() => this.#update())
    this.#update()
  }

  end(): void {
    this.#stopWatching?.()
  }

  #update(): void {
    const reason = this.#host.broker.room.pauseReason
    if (this.#isTold === (reason !== undefined)) return
    this.#isTold = reason !== undefined
    if (reason === undefined) this.#host.send(0, 'connection.unblocked', {})
    else
      this.#host.send(0, 'connection.blocked', {
        reason: reason.replace(/[^\x20-\x7e]/g, '?').slice(0, LONGEST_REASON),
      })
  }
}
