import type { AMQPProperties } from '@cloudamqp/amqp-client'
import { z } from 'zod'
import { PoisonEvent, type ShopEvent } from './broker.ts'

const MAX_EVENT_BYTES = 256 * 1024

const attributes = z.object({
  cloudEvents_specversion: z.literal('1.0'),
  cloudEvents_id: z.string().min(1).max(255),
  cloudEvents_type: z.string().min(1).max(255),
  cloudEvents_source: z.string().min(1).max(1024),
  cloudEvents_subject: z.string().max(255).optional(),
  cloudEvents_time: z.string().max(64).optional(),
  cloudEvents_traceparent: z.string().max(128).optional(),
})

/** The AMQP properties of an event in binary content mode: attributes as `cloudEvents_*` headers, persistent. */
export function toProperties({ id, type, source, subject, time, traceparent }: ShopEvent): AMQPProperties {
  return {
    contentType: 'application/json',
    deliveryMode: 2,
    messageId: id,
    headers: {
      cloudEvents_specversion: '1.0',
      cloudEvents_id: id,
      cloudEvents_type: type,
      cloudEvents_source: source,
      cloudEvents_time: time,
      ...(subject === undefined ? {} : { cloudEvents_subject: subject }),
      ...(traceparent === undefined ? {} : { cloudEvents_traceparent: traceparent }),
    },
  }
}

/** Reads a message back into an event; throws `PoisonEvent` when it is none. */
export function fromMessage(properties: AMQPProperties, body: Uint8Array | null): ShopEvent {
  if (!body || body.byteLength > MAX_EVENT_BYTES) {
    throw new PoisonEvent(`The message has ${body?.byteLength ?? 0} bytes: send 1 to ${MAX_EVENT_BYTES}`)
  }
  const parsed = attributes.safeParse(properties.headers)
  if (!parsed.success) {
    throw new PoisonEvent(`The message has no valid CloudEvents headers: ${z.prettifyError(parsed.error)}`)
  }
  const headers = parsed.data
  return {
    id: headers.cloudEvents_id,
    type: headers.cloudEvents_type,
    source: headers.cloudEvents_source,
    subject: headers.cloudEvents_subject,
    time: headers.cloudEvents_time ?? '',
    traceparent: headers.cloudEvents_traceparent,
    data: parseBody(body),
  }
}

function parseBody(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw new PoisonEvent('The message body is not JSON in UTF-8')
  }
}
