import type { Frame } from '../codec/frames.ts'
import { readMethod } from '../codec/method-codec.ts'
import type { Method } from '../codec/methods.ts'
import { ProtocolError } from '../protocol-error.ts'
import { Channel } from './channel.ts'
import type { ChannelHost } from './channel-host.ts'

/** The channels of one connection by number. A mistake that only concerns a channel ends that channel and no more. */
export class Channels {
  /** The highest channel number both sides agreed on. */
  limit = 0
  readonly #host: ChannelHost
  readonly #open = new Map<number, Channel>()
  /** Channels the client was told are closed and that it has not confirmed yet: what it still sends there is ignored. */
  readonly #closing = new Set<number>()

  constructor(host: ChannelHost) {
    this.#host = host
  }

  get count(): number {
    return this.#open.size
  }

  /** Takes one frame of a channel other than 0. Throws what ends the connection. */
  handle(frame: Frame): void {
    const { channel: id } = frame
    if (this.#closing.has(id)) {
      this.#whileClosing(frame)
      return
    }
    try {
      this.#dispatchFrame(frame)
    } catch (error) {
      if (!(error instanceof ProtocolError) || !error.closesChannelOnly) throw error
      this.flush()
      this.#end(id)
      this.#closing.add(id)
      const { code: replyCode, replyText } = error
      this.#host.send(id, 'channel.close', { replyCode, replyText, classId: 0, methodId: 0 })
    }
  }

  /** Sends the confirms that are owed on all channels. */
  flush(): void {
    for (const channel of this.#open.values()) channel.flush()
  }

  dispatch(): void {
    for (const channel of this.#open.values()) channel.dispatch()
  }

  /** Ends all channels. The connection must have stopped taking deliveries, so that none goes to another dying channel. */
  release(): void {
    const channels = [...this.#open.values()]
    this.#open.clear()
    this.#closing.clear()
    for (const channel of channels) channel.end()
  }

  #dispatchFrame(frame: Frame): void {
    const { channel: id, kind, payload } = frame
    const channel = this.#open.get(id)
    if (kind === 'method') {
      this.#handleMethod(id, channel, readMethod(payload))
      return
    }
    if (channel === undefined) throw new ProtocolError(504, `channel ${id} is not open: expected channel.open`)
    if (kind === 'header') channel.header(payload)
    else channel.body(payload)
  }

  #handleMethod(id: number, channel: Channel | undefined, method: Method): void {
    if (method.name === 'channel.open') {
      if (channel !== undefined) throw new ProtocolError(504, `channel ${id} is open already`)
      this.#openChannel(id)
    } else if (channel === undefined) {
      throw new ProtocolError(504, `channel ${id} is not open: expected channel.open, got ${method.name}`)
    } else if (method.name === 'channel.close') {
      channel.flush()
      this.#end(id)
      this.#host.send(id, 'channel.close-ok', {})
    } else {
      channel.handle(method)
    }
  }

  #openChannel(id: number): void {
    if (id > this.limit) throw new ProtocolError(504, `channel ${id} is higher than channel_max ${this.limit}`)
    this.#open.set(id, new Channel(id, this.#host))
    this.#host.send(id, 'channel.open-ok', {})
  }

  #whileClosing({ kind, channel: id, payload }: Frame): void {
    if (kind !== 'method') return
    const { name } = readMethod(payload)
    if (name === 'channel.close') this.#host.send(id, 'channel.close-ok', {})
    if (name === 'channel.close-ok') this.#closing.delete(id)
  }

  #end(id: number): void {
    const channel = this.#open.get(id)
    this.#open.delete(id)
    channel?.end()
  }
}
