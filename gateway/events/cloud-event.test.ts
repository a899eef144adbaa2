import { describe, expect, test } from 'bun:test'
import type { CloudEvent } from '../core/events.ts'
import { toAmqpMessage } from './cloud-event.ts'
import { UnpublishableError } from './publisher.ts'

const ADDRESS = { exchange: 'shop.events', routingKey: 'order.placed' }
const EVENT: CloudEvent = {
  id: 'event-1',
  source: 'https://shop.example/gateway',
  type: 'order.placed',
  subject: 'order-1',
  dataschema: 'https://shop.example/order.placed.json',
  tracestate: 'shop=1,vendor=2',
  time: '2026-01-02T03:04:05.678Z',
  data: { id: 'order-1', name: 'Zoë' },
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
}

describe('An event as an AMQP message', () => {
  test('carries its attributes as headers and as the matching properties', () => {
    const { body, properties } = toAmqpMessage(EVENT, ADDRESS)
    expect(properties).toEqual({
      contentType: 'application/json',
      deliveryMode: 2,
      messageId: 'event-1',
      type: 'order.placed',
      appId: 'https://shop.example/gateway',
      timestamp: new Date('2026-01-02T03:04:05.678Z'),
      correlationId: '0af7651916cd43dd8448eb211c80319c',
      headers: {
        cloudEvents_specversion: '1.0',
        cloudEvents_id: 'event-1',
        cloudEvents_source: 'https://shop.example/gateway',
        cloudEvents_type: 'order.placed',
        cloudEvents_subject: 'order-1',
        cloudEvents_time: '2026-01-02T03:04:05.678Z',
        cloudEvents_dataschema: 'https://shop.example/order.placed.json',
        cloudEvents_traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        cloudEvents_tracestate: 'shop=1,vendor=2',
      },
    })
    expect(JSON.parse(new TextDecoder().decode(body))).toEqual({ id: 'order-1', name: 'Zoë' })
  })

  test('leaves out the attributes the event does not have', () => {
    const { subject: _, traceparent: __, tracestate: ___, dataschema: ____, ...bare } = EVENT
    expect(toAmqpMessage(bare, ADDRESS).properties).not.toHaveProperty('correlationId')
    expect(Object.keys(toAmqpMessage({ ...bare, time: 'soon' }, ADDRESS).properties.headers)).toEqual([
      'cloudEvents_specversion',
      'cloudEvents_id',
      'cloudEvents_source',
      'cloudEvents_type',
      'cloudEvents_time',
    ])
  })

  test('is valid JSON even without data', () => {
    expect(new TextDecoder().decode(toAmqpMessage({ ...EVENT, data: undefined }, ADDRESS).body)).toBe('null')
  })

  const circular: Record<string, unknown> = {}
  circular.self = circular
  const misfits = [
    { name: 'an id of 256 bytes', event: { ...EVENT, id: 'é'.repeat(128) }, address: ADDRESS },
    { name: 'a type of 256 bytes', event: { ...EVENT, type: 'x'.repeat(256) }, address: ADDRESS },
    { name: 'a routing key of 256 bytes', event: EVENT, address: { ...ADDRESS, routingKey: 'x'.repeat(256) } },
    { name: 'a subject that fills a frame', event: { ...EVENT, subject: 'x'.repeat(3_000) }, address: ADDRESS },
    { name: 'data of 17 MB', event: { ...EVENT, data: 'x'.repeat(17_000_000) }, address: ADDRESS },
    { name: 'data that is not JSON', event: { ...EVENT, data: circular }, address: ADDRESS },
  ]
  test.each(misfits)('is refused with $name', ({ event, address }) => {
    expect(() => toAmqpMessage(event, address)).toThrow(UnpublishableError)
  })

  test('is not kept from the broker by what a client put into its tracestate', () => {
    const tracestate = `shop=${'x'.repeat(8_000)}`
    const { headers } = toAmqpMessage({ ...EVENT, tracestate }, ADDRESS).properties
    expect(headers).not.toHaveProperty('cloudEvents_tracestate')
    expect(headers).toHaveProperty('cloudEvents_traceparent')
  })

  test('takes an id of 255 bytes and a subject of 2,000', () => {
    const long = { ...EVENT, id: 'x'.repeat(255), subject: 'x'.repeat(2_000) }
    expect(toAmqpMessage(long, ADDRESS).properties.messageId).toHaveLength(255)
  })
})
