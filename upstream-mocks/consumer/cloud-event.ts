import type { AMQPProperties } from '@cloudamqp/amqp-client'
import { z } from 'zod'
import { Poison } from './failures.ts'

/** A CloudEvents 1.0 event with JSON data (https://github.com/cloudevents/spec); `source` and `id` tell repeats apart. */
export interface CloudEvent {
  readonly id: string
  readonly type: string
  readonly source: string
  /** What it is about, e.g. the order's id. Events of one subject are handled in order. */
  readonly subject?: string | undefined
  /** RFC 3339. */
  readonly time: string
  /** W3C Trace Context of the request that started it all. */
  readonly traceparent?: string | undefined
  readonly data: unknown
}

/** A message as the broker hands it over. */
export interface Message {
  readonly properties: AMQPProperties
  readonly body: Uint8Array | null
}

const attributes = z.object({
  id: z.string().min(1).max(255),
  type: z.string().min(1).max(255),
  source: z.string().min(1).max(1024),
  subject: z.string().max(255).optional(),
  time: z.string().max(64).default(''),
  traceparent: z.string().max(128).optional(),
})

/** An event as a persistent message in binary content mode: data as the body, attributes as `cloudEvents_*` headers. */
export function toMessage(event: CloudEvent): { readonly properties: AMQPProperties; readonly body: string } {
  const { id, type, source, subject, time, traceparent, data } = event
  const headers = {
    cloudEvents_specversion: '1.0',
    cloudEvents_id: id,
    cloudEvents_type: type,
    cloudEvents_source: source,
    cloudEvents_time: time,
    ...(subject === undefined ? {} : { cloudEvents_subject: subject }),
    ...(traceparent === undefined ? {} : { cloudEvents_traceparent: traceparent }),
  }
  return {
    properties: {
      contentType: 'application/json',
      deliveryMode: 2,
      messageId: id,
      type,
      appId: source,
      ...(Number.isNaN(Date.parse(time)) ? {} : { timestamp: new Date(time) }),
      headers,
    },
    body: JSON.stringify(data),
  }
}

/**
 * Reads a message into an event: binary mode with `cloudEvents_` or `cloudEvents:` headers, or structured mode
 * (`application/cloudevents+json`). Throws `Poison` when it is none, or has more than `maxBytes`.
 */
export function fromMessage({ properties, body }: Message, maxBytes: number): CloudEvent {
  if (body && body.byteLength > maxBytes) {
    throw new Poison('too-large', `The message has ${body.byteLength} bytes: send at most ${maxBytes}`)
  }
  const contentType = properties.contentType?.toLowerCase() ?? ''
  if (!contentType.startsWith('application/cloudevents')) return toEvent(headerAttributes(properties), parse(body))
  if (!contentType.startsWith('application/cloudevents+json')) {
    throw new Poison('not-an-event', 'Only single events in JSON are understood: send application/cloudevents+json')
  }
  const envelope = z.record(z.string(), z.unknown()).safeParse(parse(body))
  if (!envelope.success) throw new Poison('not-an-event', 'A structured event is a JSON object')
  return toEvent(envelope.data, envelope.data.data)
}

function toEvent(found: Readonly<Record<string, unknown>>, data: unknown): CloudEvent {
  const { specversion } = found
  if (specversion === undefined) throw new Poison('not-an-event', 'The message has no CloudEvents attributes')
  if (specversion !== '1.0') {
    throw new Poison('unknown-version', `CloudEvents ${String(specversion).slice(0, 20)} is not known: send 1.0`)
  }
  const parsed = attributes.safeParse(found)
  if (!parsed.success) {
    throw new Poison('not-an-event', `The CloudEvents attributes are wrong: ${firstMistake(parsed.error)}`)
  }
  return { ...parsed.data, data }
}

const PREFIX = /^cloudEvents[_:]/

/** Values may be native AMQP types or their canonical strings. */
function headerAttributes({ headers = {} }: AMQPProperties): Record<string, unknown> {
  const found: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (!PREFIX.test(name)) continue
    found[name.replace(PREFIX, '')] = value instanceof Date ? value.toISOString() : String(value)
  }
  return found
}

function parse(body: Uint8Array | null): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body ?? new Uint8Array()))
  } catch {
    throw new Poison('not-json', 'The message body is not JSON in UTF-8')
  }
}

/** The first mistake with its place, e.g. `items.0.quantity: Too small`. Values are never quoted. */
export function firstMistake({ issues }: z.ZodError): string {
  const [issue] = issues
  const place = issue?.path.map(String).join('.')
  return `${place ? `${place}: ` : ''}${issue?.message ?? 'not valid'}`
}

/** The trace id of a `traceparent`, to find one order's way through all logs; undefined when it has none. */
export function traceIdOf(traceparent: string | undefined): string | undefined {
  return /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(traceparent ?? '')?.[1]
}
