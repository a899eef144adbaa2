import type { CloudEvent, EventAddress } from '../core/events.ts'
import { UnpublishableError } from './publisher.ts'

/** A message for AMQP 0-9-1, in the shape the client library takes. */
export interface AmqpMessage {
  readonly body: Uint8Array
  readonly properties: {
    readonly contentType: 'application/json'
    /** 2: persistent, i.e. written to the broker's disk before it is confirmed. */
    readonly deliveryMode: 2
    readonly messageId: string
    readonly type: string
    readonly appId: string
    readonly timestamp?: Date
    /** The trace's id, for tools that look at properties and not at headers. */
    readonly correlationId?: string
    readonly headers: Record<string, string>
  }
}

/** AMQP 0-9-1 "short strings" (properties, exchange, routing key) carry their length in one byte. */
const MAX_SHORT_STRING_BYTES = 255
/** All properties travel in one frame, and no broker may offer frames smaller than 4096 bytes. */
const MAX_HEADER_BYTES = 3_000
/** A client's tracestate may be longer than a message has room for; as much must be passed on (W3C Trace Context §3.3.1.5). */
const MAX_TRACESTATE_BYTES = 512
const MAX_BODY_BYTES = 16 * 1024 * 1024

const TRACE_ID = /^[0-9a-f]{2}-([0-9a-f]{32})-/

const encoder = new TextEncoder()

/**
 * Renders an event in the binary mode of the CloudEvents AMQP binding. That is written for AMQP 1.0; on 0-9-1 the
 * application properties are the headers table. Throws `UnpublishableError` when the event does not fit a message.
 */
export function toAmqpMessage(event: CloudEvent, address: EventAddress): AmqpMessage {
  const { id, source, type } = event
  for (const [name, value] of Object.entries({ id, source, type, ...address })) {
    assertFits(event, name, byteLength(value), MAX_SHORT_STRING_BYTES)
  }
  const headers = toHeaders(event)
  assertFits(event, 'list of attributes', byteLength(JSON.stringify(headers)), MAX_HEADER_BYTES)

  const body = encoder.encode(toJson(event))
  assertFits(event, 'data', body.byteLength, MAX_BODY_BYTES)

  const timestamp = new Date(event.time)
  const [, traceId] = TRACE_ID.exec(event.traceparent ?? '') ?? []
  return {
    body,
    properties: {
      contentType: 'application/json',
      deliveryMode: 2,
      messageId: id,
      type,
      appId: source,
      ...(Number.isNaN(timestamp.getTime()) ? {} : { timestamp }),
      ...(traceId === undefined ? {} : { correlationId: traceId }),
      headers,
    },
  }
}

function toHeaders(event: CloudEvent): Record<string, string> {
  const { id, source, type, subject, time, dataschema, traceparent } = event
  const tracestate = byteLength(event.tracestate ?? '') > MAX_TRACESTATE_BYTES ? undefined : event.tracestate
  const attributes = { specversion: '1.0', id, source, type, subject, time, dataschema, traceparent, tracestate }
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) headers[`cloudEvents_${name}`] = value
  }
  return headers
}

function toJson(event: CloudEvent): string {
  try {
    return JSON.stringify(event.data) ?? 'null'
  } catch (cause) {
    throw new UnpublishableError(`Cannot publish event "${event.id}": its data is not JSON`, { cause })
  }
}

function assertFits(event: CloudEvent, what: string, bytes: number, maxBytes: number): void {
  if (bytes <= maxBytes) return
  const start = event.id.slice(0, 64)
  throw new UnpublishableError(`Cannot publish event "${start}": its ${what} takes ${bytes} bytes, ${maxBytes} fit`)
}

function byteLength(text: string): number {
  return encoder.encode(text).byteLength
}
