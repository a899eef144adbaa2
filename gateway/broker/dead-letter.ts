import { type Field, type FieldTable, integerOf, textField, textOf } from './codec/field-table.ts'
import { readProperties, writeProperties } from './codec/properties.ts'
import type { Message } from './message.ts'

/** Why a message left its queue unconsumed; the words of the `x-death` header. */
export type DeathReason = 'rejected' | 'expired' | 'maxlen' | 'delivery_limit'

/** In how many ways (queue and reason) a message may die before it is given up: `x-death` must fit a frame. */
export const MOST_DEATHS = 64

/** One message's end in one queue. */
export interface Death {
  readonly queue: string
  readonly reason: DeathReason
  /** Milliseconds since the Unix epoch. */
  readonly at: number
}

/** Where the dead letter goes. */
export interface DeadLetterAddress {
  readonly exchange: string
  readonly routingKey: string
}

/**
 * The message to publish for one that died: `x-death` tells its story, latest death first, deaths for the same reason in
 * the same queue counted in one entry. It no longer expires by itself; its old expiration is noted.
 */
export function toDeadLetter(message: Message, death: Death, address: DeadLetterAddress): Message {
  const properties = readProperties(message.properties)
  const deaths = deathsOf(properties.headers)
  const same = deaths.find((earlier) => isSame(earlier, death))
  const others = deaths.filter((earlier) => earlier !== same)
  const latest = same === undefined ? firstDeath(message, death, properties.expiration) : again(same)
  const headers = new Map(properties.headers)
  headers.set('x-death', { type: 'A', value: [latest, ...others].map((value) => ({ type: 'F', value })) })
  if (!headers.has('x-first-death-reason')) {
    headers.set('x-first-death-exchange', textField(message.exchange))
    headers.set('x-first-death-queue', textField(death.queue))
    headers.set('x-first-death-reason', textField(death.reason))
  }
  const { expiration, ...kept } = properties
  return {
    ...address,
    properties: writeProperties({ ...kept, headers }),
    body: message.body,
    expirationMs: undefined,
    isPersistent: message.isPersistent,
  }
}

/** The story of a dead letter, latest death first. */
export function deathsIn(letter: Message): readonly FieldTable[] {
  return deathsOf(readProperties(letter.properties).headers)
}

/**
 * Whether a dead letter would come back to a queue it died in without anybody having rejected it on the way: such a
 * circle would turn for ever, so the message must not enter that queue again.
 */
export function isEndlessCircle(queue: string, deaths: readonly FieldTable[]): boolean {
  const index = deaths.findIndex((death) => textOf(death.get('queue')) === queue)
  return index >= 0 && deaths.slice(0, index + 1).every((death) => textOf(death.get('reason')) !== 'rejected')
}

function deathsOf(headers: FieldTable | undefined): FieldTable[] {
  const field = headers?.get('x-death')
  if (field?.type !== 'A') return []
  return field.value.flatMap((item) => (item.type === 'F' ? [item.value] : []))
}

function isSame(earlier: FieldTable, death: Death): boolean {
  return textOf(earlier.get('queue')) === death.queue && textOf(earlier.get('reason')) === death.reason
}

function firstDeath(message: Message, death: Death, expiration: string | undefined): FieldTable {
  const entry = new Map<string, Field>([
    ['count', { type: 'l', value: 1n }],
    ['reason', textField(death.reason)],
    ['queue', textField(death.queue)],
    ['time', { type: 'T', value: BigInt(Math.floor(death.at / 1_000)) }],
    ['exchange', textField(message.exchange)],
    ['routing-keys', { type: 'A', value: [textField(message.routingKey)] }],
  ])
  if (expiration !== undefined) entry.set('original-expiration', textField(expiration))
  return entry
}

function again(earlier: FieldTable): FieldTable {
  const count = integerOf(earlier.get('count')) ?? 1
  return new Map(earlier).set('count', { type: 'l', value: BigInt(count + 1) })
}
