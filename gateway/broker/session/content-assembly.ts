import type { Budget } from '../budget.ts'
import { readContentHeader } from '../codec/frames.ts'
import type { MethodArguments } from '../codec/methods.ts'
import { readProperties } from '../codec/properties.ts'
import type { BrokerLimits } from '../limits.ts'
import { expirationMsOf, type Message } from '../message.ts'
import { ProtocolError } from '../protocol-error.ts'

/** A message that has arrived, or the notice that there was no room to keep its body while it arrived. */
export type Arrival = { readonly message: Message } | 'refused'

interface Body {
  readonly properties: Uint8Array
  readonly announcedBytes: number
  readonly isKept: boolean
  /** As large as the body will be, from its first frame on: small frames kept one by one would go beyond what is reserved. */
  whole: Uint8Array | undefined
  receivedBytes: number
}

/** The delivery mode of messages that should outlive the broker. */
const PERSISTENT = 2

/** Puts one published message together from its content header and body frames. */
export class ContentAssembly {
  readonly publish: MethodArguments<'basic.publish'>
  readonly #budget: Budget
  readonly #limits: BrokerLimits
  #body: Body | undefined
  #reservedBytes = 0

  constructor(publish: MethodArguments<'basic.publish'>, budget: Budget, limits: BrokerLimits) {
    this.publish = publish
    this.#budget = budget
    this.#limits = limits
  }

  /** Takes the content header; returns the arrival when the body is empty. */
  header(payload: Uint8Array): Arrival | undefined {
    if (this.#body !== undefined) throw new ProtocolError(505, 'expected a content body, got a second content header')
    const { bodyBytes, properties } = readContentHeader(payload)
    const { messageBytes } = this.#limits
    if (bodyBytes > messageBytes) {
      throw new ProtocolError(406, `message size ${bodyBytes} is larger than the configured maximum ${messageBytes}`)
    }
    const isKept = this.#budget.fits(bodyBytes)
    // Reserved before a single octet has come: many half-sent messages cannot add up to more than the limit.
    if (isKept) this.#reserve(bodyBytes)
    this.#body = {
      properties: properties.slice(),
      announcedBytes: bodyBytes,
      isKept,
      whole: undefined,
      receivedBytes: 0,
    }
    return this.#arrival(this.#body)
  }

  /** Takes one body frame; returns the arrival when it was the last. */
  body(payload: Uint8Array): Arrival | undefined {
    const body = this.#body
    if (body === undefined) throw new ProtocolError(505, 'expected a content header, got a content body')
    const at = body.receivedBytes
    body.receivedBytes += payload.length
    if (body.receivedBytes > body.announcedBytes) {
      throw new ProtocolError(501, 'a message body is longer than its content header announced')
    }
    if (body.isKept && payload.length === body.announcedBytes) body.whole = payload.slice()
    else if (body.isKept) {
      body.whole ??= new Uint8Array(body.announcedBytes)
      body.whole.set(payload, at)
    }
    return this.#arrival(body)
  }

  /** Gives the reserved memory back. Must be called once, when the message has arrived or never will. */
  release(): void {
    this.#budget.release(this.#reservedBytes)
    this.#reservedBytes = 0
  }

  #reserve(bytes: number): void {
    this.#budget.take(bytes)
    this.#reservedBytes = bytes
  }

  #arrival({ properties, announcedBytes, isKept, whole, receivedBytes }: Body): Arrival | undefined {
    if (receivedBytes < announcedBytes) return undefined
    const { exchange, routingKey } = this.publish
    const decoded = readProperties(properties)
    const expirationMs = expirationMsOf(decoded)
    if (!isKept) return 'refused'
    const isPersistent = decoded.deliveryMode === PERSISTENT
    const body = whole ?? new Uint8Array()
    return { message: { exchange, routingKey, properties, body, expirationMs, isPersistent } }
  }
}
