import type { AMQPProperties, Field } from '@cloudamqp/amqp-client'
import type { DeadLetter } from '../core/operations.ts'
import { sha256 } from '../core/sha256.ts'

/** A message of a queue of dead letters, as it was fetched. */
export interface DeadMessage {
  readonly routingKey: string
  readonly properties: AMQPProperties
  readonly body: Uint8Array
}

/** The most of a text that is shown; whoever published or gave up the message wrote it. */
const MAX_TEXT = 500

/** What is said of a dead letter: by the consumer that gave it up in `x-` headers, else by the broker in `x-death`. */
export async function readDeadLetter(message: DeadMessage, deadLetterQueue: string): Promise<DeadLetter> {
  const { properties, body } = message
  const { headers = {} } = properties
  const facts = {
    type: textOf(properties.type) ?? textOf(headers.cloudEvents_type),
    subject: textOf(headers.cloudEvents_subject),
    source: textOf(headers.cloudEvents_source) ?? textOf(properties.appId),
    traceparent: textOf(headers.cloudEvents_traceparent) ?? textOf(headers.traceparent),
    reason: reasonOf(headers),
    attempts: countOf(headers['x-attempts']),
    firstFailureAtMs: timeOf(headers['x-first-failure-at']),
  }
  return {
    id: textOf(properties.messageId) ?? (await digestOf(message)),
    deadLetterQueue,
    queue: originOf(message),
    ...(Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as Partial<DeadLetter>),
    bytes: body.byteLength,
  }
}

/** The queue a message died in. The broker writes the latest death first. */
export function originOf({ routingKey, properties: { headers = {} } }: DeadMessage): string {
  return textOf(headers['x-queue']) ?? textOf(latestDeath(headers)?.queue) ?? routingKey
}

/** What a failure, or the broker at a death, wrote on the message; sent along it would count against the next attempt. */
const FAILURE_MARK = /^x-(?:error-.*|attempts|queue|death|delivery-count|acquired-count|first-death-.*|last-death-.*)$/
/** Would send copies elsewhere. */
const COPIES = /^B?CC$/

/** The properties with which a message goes back to its queue alone: the same id and attributes, and a clean slate. */
export function replayProperties({ expiration: _, userId: __, ...properties }: AMQPProperties): AMQPProperties {
  const headers = Object.entries(properties.headers ?? {}).filter(
    ([name]) => !FAILURE_MARK.test(name) && !COPIES.test(name),
  )
  return { ...properties, deliveryMode: 2, headers: Object.fromEntries(headers) }
}

type Headers = Readonly<Record<string, Field>>

function reasonOf(headers: Headers): string | undefined {
  const told = [textOf(headers['x-error-type']), textOf(headers['x-error-detail'])].filter((part) => part !== undefined)
  if (told.length > 0) return told.join(': ')
  const death = textOf(latestDeath(headers)?.reason)
  return death === undefined ? undefined : (DEATHS[death] ?? `the broker gave it up (${death})`)
}

const DEATHS: Readonly<Record<string, string>> = {
  delivery_limit: 'delivered too often and never acknowledged (delivery_limit)',
  rejected: 'the consumer refused it (rejected)',
  expired: 'it was not consumed in time (expired)',
  maxlen: 'its queue was full (maxlen)',
}

function latestDeath({ 'x-death': deaths }: Headers): Headers | undefined {
  const latest = Array.isArray(deaths) ? deaths[0] : undefined
  return typeof latest === 'object' && latest !== null ? (latest as Headers) : undefined
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value.slice(0, MAX_TEXT) : undefined
}

function countOf(value: unknown): number | undefined {
  const count = typeof value === 'bigint' ? Number(value) : value
  return typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 ? count : undefined
}

function timeOf(value: unknown): number | undefined {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isNaN(ms) ? undefined : ms
}

/** Tells a message without an id from others, and stays the same as long as the message does. */
async function digestOf({ routingKey, body }: DeadMessage): Promise<string> {
  const head = new TextEncoder().encode(`${routingKey}\n`)
  const all = new Uint8Array(head.length + body.length)
  all.set(head)
  all.set(body, head.length)
  return `sha256-${(await sha256(all)).slice(0, 32)}`
}
