import { describe, expect, test } from 'bun:test'
import { noteWhole } from '../../gateway/core/read-reply.ts'
import { createTestGateway } from '../../tests/support/gateway.ts'
import { readReply } from './reply.ts'

const ORDER = { id: 'o-1', note: 'x'.repeat(2_000) }

async function encoded(text: string, format: CompressionFormat): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream(format))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

async function answered(bytes: Uint8Array<ArrayBuffer>, coding: string, options: object = {}) {
  const gateway = await createTestGateway({
    policies: [{ publish: { type: 'a', exchange: 'b', subject: '{response.body.id}', ...options } }],
    upstream: () => new Response(bytes, { status: 201, headers: { 'content-encoding': coding } }),
  })
  const response = await gateway.fetch('/x/1', { method: 'POST', body: '{}' })
  return { response, received: new Uint8Array(await response.arrayBuffer()), intent: gateway.events[0] }
}

describe('publish, of an upstream that encodes its reply although it was asked not to', () => {
  test.each([
    { name: 'gzip', coding: 'gzip', format: 'gzip' },
    { name: 'x-gzip in capitals', coding: 'X-GZIP', format: 'gzip' },
    { name: 'deflate', coding: 'deflate', format: 'deflate' },
  ] as const)('reads $name for the event and passes it on as it came', async ({ coding, format }) => {
    const bytes = await encoded(JSON.stringify(ORDER), format)
    const { response, received, intent } = await answered(bytes, coding)
    expect([response.status, response.headers.get('content-encoding')]).toEqual([201, coding])
    expect(received).toEqual(bytes)
    expect(intent).toMatchObject({ outcome: 'committed', event: { subject: 'o-1', data: ORDER } })
  })

  test('does not inflate more than max-body', async () => {
    const bytes = await encoded(JSON.stringify('x'.repeat(1_000_000)), 'gzip')
    const { received, intent } = await answered(bytes, 'gzip', { 'max-body': '10kB' })
    expect(received).toEqual(bytes)
    expect(intent).toMatchObject({ outcome: 'unknown', reason: 'the response body has more than 10000 bytes' })
  })

  test.each([
    { name: 'br', coding: 'br', reason: 'is encoded as "br", although the gateway asked for no encoding' },
    { name: 'two codings', coding: 'gzip, gzip', reason: 'is encoded as "gzip, gzip", although' },
    { name: 'what is no gzip', coding: 'gzip', reason: 'is not the gzip it says it is' },
  ])('does not know the outcome of a reply in $name, and says why', async ({ coding, reason }) => {
    const bytes = new TextEncoder().encode('{"id":"o-1"}')
    const { response, received, intent } = await answered(bytes, coding)
    expect([response.status, received]).toEqual([201, bytes])
    expect(intent?.outcome).toBe('unknown')
    expect(intent?.reason).toContain(reason)
  })
})

describe('a reply whose bytes are all there', () => {
  const bytes = new TextEncoder().encode(JSON.stringify(ORDER))
  const whole = (maxBytes: number) => {
    const response = noteWhole(new Response(bytes), bytes)
    return { response, reply: readReply(response, maxBytes, new AbortController().signal) }
  }

  test('is read without a stream, and passed on itself', async () => {
    const { response, reply } = whole(bytes.length)
    expect(await reply).toEqual({ response, body: ORDER })
    expect((await reply).response).toBe(response)
    expect(await response.json()).toEqual(ORDER)
  })

  test('is passed on though it is too large to be read', async () => {
    const { response, reply } = whole(bytes.length - 1)
    expect(await reply).toEqual({ response, failure: `the response body has more than ${bytes.length - 1} bytes` })
    expect((await reply).response).toBe(response)
    expect(await response.json()).toEqual(ORDER)
  })
})
