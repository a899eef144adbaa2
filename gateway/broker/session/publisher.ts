import type { MethodArguments } from '../codec/methods.ts'
import type { Message } from '../message.ts'
import { ProtocolError } from '../protocol-error.ts'
import type { ChannelHost } from './channel-host.ts'
import { Confirms } from './confirms.ts'
import { type Arrival, ContentAssembly } from './content-assembly.ts'

/** The publishing half of a channel: collects messages, hands them to the broker, returns and confirms them. */
export class Publisher {
  readonly #channel: number
  readonly #host: ChannelHost
  readonly #confirms: Confirms
  #content: ContentAssembly | undefined
  #isEnded = false

  constructor(channel: number, host: ChannelHost) {
    this.#channel = channel
    this.#host = host
    this.#confirms = new Confirms((name, deliveryTag, multiple) => {
      if (name === 'basic.ack') host.send(channel, name, { deliveryTag, multiple })
      else host.send(channel, name, { deliveryTag, multiple, requeue: false })
    })
  }

  selectConfirms(): void {
    this.#confirms.select()
  }

  /** No other method may come between basic.publish and the end of its body. */
  assertNoContentDue(method: string): void {
    if (this.#content !== undefined) throw new ProtocolError(505, `expected message content, got ${method}`)
  }

  begin(publish: MethodArguments<'basic.publish'>): void {
    if (publish.immediate) throw new ProtocolError(540, 'immediate=true')
    this.#host.publishes()
    this.#content = new ContentAssembly(publish, this.#host.broker.room.memory, this.#host.broker.limits)
  }

  header(payload: Uint8Array): void {
    const content = this.#contentDue()
    this.#arrived(content, content.header(payload))
  }

  body(payload: Uint8Array): void {
    const content = this.#contentDue()
    this.#arrived(content, content.body(payload))
  }

  /** Sends the confirms that are owed. */
  flush(): void {
    this.#confirms.flush()
  }

  /** The channel ends: forgets the message that was arriving, and confirms nothing any more. */
  end(): void {
    this.#isEnded = true
    this.#confirms.end()
    this.#discard()
  }

  #discard(): void {
    this.#content?.release()
    this.#content = undefined
  }

  #contentDue(): ContentAssembly {
    if (this.#content === undefined) throw new ProtocolError(505, 'message content came without basic.publish')
    return this.#content
  }

  #arrived(content: ContentAssembly, arrival: Arrival | undefined): void {
    if (arrival === undefined) return
    this.#discard()
    const tag = this.#confirms.next()
    if (arrival === 'refused') {
      this.#host.broker.room.refused()
      this.#refuse(tag)
      return
    }
    const outcome = this.#host.broker.publish(arrival.message, (failure) => this.#written(tag, failure))
    if (outcome === 'refused') this.#refuse(tag)
    if (outcome === 'unroutable' && content.publish.mandatory) this.#return(arrival.message)
    if (outcome === 'stored' || outcome === 'unroutable') this.#confirms.accept(tag)
  }

  #written(tag: number, failure: Error | undefined): void {
    if (failure === undefined) this.#confirms.accept(tag)
    else if (this.#confirms.isSelected) this.#confirms.refuse(tag)
    else if (!this.#isEnded)
      this.#host.fail(new ProtocolError(506, `a message could not be stored: ${failure.message}`))
  }

  /** A publisher that asked for confirms is told by a nack; any other would take silence for success. */
  #refuse(tag: number): void {
    if (this.#confirms.isSelected) this.#confirms.refuse(tag)
    else throw new ProtocolError(506, 'no room for the message: consume what is stored, or publish with confirms')
  }

  #return(message: Message): void {
    const { exchange, routingKey } = message
    const values = { replyCode: 312, replyText: 'NO_ROUTE', exchange, routingKey }
    this.#host.sendContent(this.#channel, 'basic.return', values, message)
  }
}
