import { describe, expect, test } from 'bun:test'
import { backoffMs } from './backoff.ts'
import { fromMessage, toMessage, traceIdOf } from './cloud-event.ts'
import type { Poison } from './failures.ts'

const EVENT = {
  id: 'event-1',
  type: 'order.placed',
  source: '/orders',
  subject: 'order-1',
  time: '2026-03-01T12:00:00.000Z',
  traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  data: { id: 'order-1', note: 'grün' },
}
const { properties: PROPERTIES, body: TEXT } = toMessage(EVENT)
const BODY = new TextEncoder().encode(TEXT)
const MAX_BYTES = 1_000

function refusalOf(properties: object, body: Uint8Array | null): string {
  try {
    fromMessage({ properties, body }, MAX_BYTES)
  } catch (error) {
    return (error as Poison).reason
  }
  return 'none'
}

describe('a CloudEvent in binary mode', () => {
  test('is a persistent JSON message with its attributes as headers', () => {
    expect(PROPERTIES).toEqual({
      contentType: 'application/json',
      deliveryMode: 2,
      messageId: 'event-1',
      type: 'order.placed',
      appId: '/orders',
      timestamp: new Date(EVENT.time),
      headers: {
        cloudEvents_specversion: '1.0',
        cloudEvents_id: 'event-1',
        cloudEvents_type: 'order.placed',
        cloudEvents_source: '/orders',
        cloudEvents_subject: 'order-1',
        cloudEvents_time: EVENT.time,
        cloudEvents_traceparent: EVENT.traceparent,
      },
    })
  })

  test('comes back as it was sent', () => {
    expect(fromMessage({ properties: PROPERTIES, body: BODY }, MAX_BYTES)).toEqual(EVENT)
  })

  const without = (name: string) => {
    const { [name]: _, ...headers } = { ...PROPERTIES.headers }
    return { ...PROPERTIES, headers }
  }
  const withHeaders = (change: object) => ({ headers: { ...PROPERTIES.headers, ...change } })
  test.each([
    { name: 'that is not JSON', properties: PROPERTIES, body: new TextEncoder().encode('{"id":'), reason: 'not-json' },
    { name: 'that is not UTF-8', properties: PROPERTIES, body: new Uint8Array([0x22, 0xff, 0x22]), reason: 'not-json' },
    { name: 'nested too deep', properties: PROPERTIES, body: new Uint8Array(1_000).fill(0x5b), reason: 'not-json' },
    { name: 'without a body', properties: PROPERTIES, body: null, reason: 'not-json' },
    { name: 'over the limit', properties: PROPERTIES, body: new Uint8Array(1_001).fill(0x20), reason: 'too-large' },
    { name: 'without headers', properties: {}, body: BODY, reason: 'not-an-event' },
    { name: 'without an id', properties: without('cloudEvents_id'), body: BODY, reason: 'not-an-event' },
    { name: 'without a type', properties: without('cloudEvents_type'), body: BODY, reason: 'not-an-event' },
    {
      name: 'of another version',
      properties: withHeaders({ cloudEvents_specversion: '0.3' }),
      body: BODY,
      reason: 'unknown-version',
    },
    {
      name: 'with a batch',
      properties: { contentType: 'application/cloudevents-batch+json' },
      body: new TextEncoder().encode('[]'),
      reason: 'not-an-event',
    },
    {
      name: 'with a structured event that is a list',
      properties: { contentType: 'application/cloudevents+json' },
      body: new TextEncoder().encode('[]'),
      reason: 'not-an-event',
    },
  ])('is refused as poison when the message is one $name', ({ properties, body, reason }) => {
    expect(refusalOf(properties, body)).toBe(reason)
  })

  test('tells the trace id of a traceparent, and of nothing else', () => {
    expect(traceIdOf(EVENT.traceparent)).toBe('4bf92f3577b34da6a3ce929d0e0e4736')
    expect(traceIdOf('00-short-00f067aa0ba902b7-01')).toBeUndefined()
    expect(traceIdOf(undefined)).toBeUndefined()
  })
})

describe('a wait that grows', () => {
  const bounds = { firstMs: 100, longestMs: 5_000 }
  test.each([
    { name: 'starts at 50 to 100 ms', failures: 0, chance: 0, waitMs: 50 },
    { name: 'ends its first step at 100 ms', failures: 0, chance: 1, waitMs: 100 },
    { name: 'doubles', failures: 3, chance: 1, waitMs: 800 },
    { name: 'never exceeds 5 s', failures: 5_000, chance: 1, waitMs: 5_000 },
  ])('$name', ({ failures, chance, waitMs }) => {
    expect(backoffMs(failures, chance, bounds)).toBe(waitMs)
  })
})
