import { describe, expect, test } from 'bun:test'
import { retryDelayMs } from './amqp-broker.ts'
import { PoisonEvent } from './broker.ts'
import { fromMessage, toProperties } from './cloud-event.ts'

const EVENT = {
  id: 'event-1',
  type: 'order.placed',
  source: '/orders',
  subject: 'order-1',
  time: '2026-03-01T12:00:00.000Z',
  traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  data: { id: 'order-1', note: 'grün' },
}
const BODY = new TextEncoder().encode(JSON.stringify(EVENT.data))
const PROPERTIES = toProperties(EVENT)

describe('a CloudEvent in binary mode', () => {
  test('is a persistent JSON message with its attributes as headers', () => {
    expect(PROPERTIES).toEqual({
      contentType: 'application/json',
      deliveryMode: 2,
      messageId: 'event-1',
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
    expect(fromMessage(PROPERTIES, BODY)).toEqual(EVENT)
  })

  const without = (name: string) => {
    const { [name]: _, ...headers } = { ...PROPERTIES.headers }
    return { ...PROPERTIES, headers }
  }
  test.each([
    { name: 'that is not JSON', properties: PROPERTIES, body: new TextEncoder().encode('{"id":') },
    { name: 'that is not UTF-8', properties: PROPERTIES, body: new Uint8Array([0x22, 0xff, 0x22]) },
    { name: 'without a body', properties: PROPERTIES, body: null },
    { name: 'over the limit', properties: PROPERTIES, body: new Uint8Array(256 * 1024 + 1).fill(0x20) },
    { name: 'without headers', properties: {}, body: BODY },
    { name: 'without an id', properties: without('cloudEvents_id'), body: BODY },
    { name: 'without a type', properties: without('cloudEvents_type'), body: BODY },
    {
      name: 'of another version',
      properties: { headers: { ...PROPERTIES.headers, cloudEvents_specversion: '0.3' } },
      body: BODY,
    },
  ])('is refused as poison when the message is one $name', ({ properties, body }) => {
    expect(() => fromMessage(properties, body)).toThrow(PoisonEvent)
  })
})

describe('the wait before another connection', () => {
  test.each([
    { name: 'starts at 50 to 100 ms', failures: 0, chance: 0, waitMs: 50 },
    { name: 'ends its first step at 100 ms', failures: 0, chance: 1, waitMs: 100 },
    { name: 'doubles', failures: 3, chance: 1, waitMs: 800 },
    { name: 'never exceeds 5 s', failures: 5_000, chance: 1, waitMs: 5_000 },
  ])('$name', ({ failures, chance, waitMs }) => {
    expect(retryDelayMs(failures, chance)).toBe(waitMs)
  })
})
