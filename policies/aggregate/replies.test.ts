import { describe, expect, test } from 'bun:test'
import { compositionOf, JSON_TYPE, openPage } from './test-page.ts'

const KiB = 1_024
const MiB = 1_024 * KiB

/** Serves one reply as the optional part `a`, beside a part `b` that is always well. */
async function compose(reply: () => Response, part: object = {}) {
  const page = await openPage({ parts: { a: part, b: {} }, answers: { a: reply, b: { fine: true } } })
  const response = await page.fetch()
  const { a, b } = compositionOf(response).parts
  expect(response.status).toBe(200)
  expect(b).toEqual({ ok: true })
  return { outcome: a, text: await response.text(), record: page.records[0] }
}

async function compressed(bytes: Uint8Array<ArrayBuffer>, format: 'gzip' | 'deflate') {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream(format))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

/** Sends in slices and counts what was taken, so that a test sees who stopped reading. */
function sliced(bytes: Uint8Array<ArrayBuffer>, sliceBytes: number) {
  const sent = { bytes: 0, cancelled: false }
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      if (sent.bytes >= bytes.byteLength) return controller.close()
      controller.enqueue(bytes.slice(sent.bytes, sent.bytes + sliceBytes))
      sent.bytes += sliceBytes
    },
    cancel() {
      sent.cancelled = true
    },
  })
  return { stream, sent }
}

const zeros = () => new Uint8Array(64 * KiB)
const text = (value: string) => new TextEncoder().encode(value)
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)

describe('a reply that is no JSON', () => {
  test.each([
    { name: 'an empty body', body: '' },
    { name: 'half a document', body: '{"a":1' },
    { name: 'two documents', body: '{}{}' },
    { name: 'a comma too many', body: '[1,]' },
    { name: 'NaN', body: '{"a":NaN}' },
    { name: 'HTML', body: '<html></html>' },
    { name: 'a comment', body: '{} // done' },
    { name: 'only spaces', body: '  \n' },
    { name: 'only a byte order mark', body: '\uFEFF' },
    { name: 'a NUL', body: '{"a":"\0"}' },
    { name: 'depth beyond the limit', body: nested(65) },
    { name: 'depth that overflows a recursive parser', body: '['.repeat(500_000) },
    { name: 'depth in objects', body: '{"a":'.repeat(100_000) },
  ])('fails its part: $name', async ({ body }) => {
    const { outcome, text } = await compose(() => new Response(body, { headers: JSON_TYPE }))
    expect(outcome).toEqual({ failed: true, error: 'invalid-response' })
    expect(text).toBe('{"b":{"fine":true}}')
  })

  test.each([
    { name: 'a lone continuation byte', bytes: [0x22, 0x80, 0x22] },
    { name: 'an overlong slash', bytes: [0x22, 0xc0, 0xaf, 0x22] },
    { name: 'an encoded surrogate', bytes: [0x22, 0xed, 0xa0, 0x80, 0x22] },
    { name: 'UTF-16', bytes: [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00] },
  ])('fails its part when it is not UTF-8: $name', async ({ bytes }) => {
    const { outcome } = await compose(() => new Response(new Uint8Array(bytes), { headers: JSON_TYPE }))
    expect(outcome).toEqual({ failed: true, error: 'invalid-response' })
  })

  test.each([
    { name: 'none', type: undefined },
    { name: 'HTML', type: 'text/html' },
    { name: 'plain text', type: 'text/plain;charset=utf-8' },
    { name: 'JSON in the name only', type: 'application/jsonp' },
    { name: 'JSON as a parameter', type: 'text/html; a=application/json' },
    { name: 'two types', type: 'application/json, text/html' },
    { name: 'another charset', type: 'application/json; charset=iso-8859-1' },
    { name: 'another charset, quoted', type: 'application/json;charset="UTF-16"' },
  ])('fails its part by its content type: $name', async ({ type }) => {
    const { outcome } = await compose(() => {
      const response = new Response(text('{}'))
      if (type !== undefined) response.headers.set('content-type', type)
      return response
    })
    expect(outcome).toEqual({ failed: true, error: 'invalid-response' })
  })

  test.each([
    'application/json',
    'Application/JSON; charset=utf-8',
    'application/json;charset="UTF-8";v=1',
    'application/hal+json',
    'application/problem+json ; charset=utf-8',
  ])('is none of those with the content type %s', async (type) => {
    const { outcome } = await compose(() => new Response(text('{}'), { headers: { 'content-type': type } }))
    expect(outcome).toEqual({ ok: true })
  })

  test.each([
    { as: 'json', headers: {} },
    { as: 'text', headers: { 'content-type': 'text/plain' } },
  ])(
    'fails its part when it is a 204 that "success" does not name, and the log says what to do: $as',
    async (sample) => {
      const { as, headers } = sample
      const { outcome, record } = await compose(() => new Response(null, { status: 204, headers }), { as })
      expect(outcome).toEqual({ failed: true, error: 'invalid-response' })
      const cause = 'a 204 has no body: name it in "success" if it is to stand for null'
      expect(record).toMatchObject({ policies: { aggregate: { failed: [{ part: 'a', cause }] } } })
    },
  )

  test('fails its part when the body breaks off', async () => {
    const { outcome } = await compose(() => {
      const stream = new ReadableStream({
        start(controller) {
          controller.enqueue(text('{"a":1}'))
        },
        pull(controller) {
          controller.error(new TypeError('socket closed'))
        },
      })
      return new Response(stream, { headers: JSON_TYPE })
    })
    expect(outcome).toEqual({ failed: true, error: 'invalid-response' })
  })
})

describe('a reply that is too large', () => {
  test('fails its part at one byte over the limit and not before', async () => {
    const json = JSON.stringify('x'.repeat(98))
    const serve = () => new Response(json, { headers: JSON_TYPE })
    expect((await compose(serve, { 'max-bytes': '100B' })).outcome).toEqual({ ok: true })
    expect((await compose(serve, { 'max-bytes': '99B' })).outcome).toEqual({ failed: true, error: 'too-large' })
  })

  test('is not read on: 10 MiB where 1 MiB is allowed', async () => {
    const { stream, sent } = sliced(new Uint8Array(10 * MiB).fill(0x20), 64 * KiB)
    const { outcome } = await compose(() => new Response(stream, { headers: JSON_TYPE }))
    expect(outcome).toEqual({ failed: true, error: 'too-large' })
    expect(sent.bytes).toBeLessThan(2 * MiB)
    expect(sent.cancelled).toBe(true)
  })

  test('is not read at all when it says so itself', async () => {
    const { stream, sent } = sliced(new Uint8Array(10 * MiB), 64 * KiB)
    const headers = { ...JSON_TYPE, 'content-length': String(10 * MiB) }
    const { outcome } = await compose(() => new Response(stream, { headers }))
    expect(outcome).toEqual({ failed: true, error: 'too-large' })
    expect(sent.bytes).toBeLessThanOrEqual(64 * KiB)
    expect(sent.cancelled).toBe(true)
  })

  test('fails the request when the part is required', async () => {
    const page = await openPage({
      parts: { a: { required: true, 'max-bytes': '10B' } },
      answers: { a: { long: 'x'.repeat(100) } },
    })
    const response = await page.fetch()
    expect(response.status).toBe(502)
    expect(await response.json()).toMatchObject({ parts: [{ name: 'a', error: 'too-large' }] })
  })
})

describe('a reply that is compressed though nobody asked', () => {
  test.each([
    { format: 'gzip', coding: 'gzip' },
    { format: 'gzip', coding: 'X-GZIP' },
    { format: 'deflate', coding: 'deflate' },
  ] as const)('is read: $coding', async ({ format, coding }) => {
    const body = await compressed(text('{"a":"\u00e9"}'), format)
    const { outcome, text: document } = await compose(
      () => new Response(body, { headers: { ...JSON_TYPE, 'content-encoding': coding } }),
    )
    expect(outcome).toEqual({ ok: true })
    expect(document).toBe('{"a":{"a":"\u00e9"},"b":{"fine":true}}')
  })

  test.each(['br', 'zstd', 'gzip, gzip', 'gzip, identity', 'constructor', ''])(
    'fails its part when its coding is not supported: %s',
    async (coding) => {
      const { outcome } = await compose(
        () => new Response('{}', { headers: { ...JSON_TYPE, 'content-encoding': coding } }),
      )
      expect(outcome).toEqual({ failed: true, error: 'invalid-response' })
    },
  )

  test('fails its part when it is not what it says', async () => {
    const { outcome } = await compose(
      () => new Response('{}', { headers: { ...JSON_TYPE, 'content-encoding': 'gzip' } }),
    )
    expect(outcome).toEqual({ failed: true, error: 'invalid-response' })
  })

  test('fails its part when it is cut short', async () => {
    const body = (await compressed(text(`{"a":"${'x'.repeat(1_000)}"}`), 'gzip')).slice(0, -10)
    const { outcome } = await compose(
      () => new Response(body, { headers: { ...JSON_TYPE, 'content-encoding': 'gzip' } }),
    )
    expect(outcome).toEqual({ failed: true, error: 'invalid-response' })
  })

  test('counts as what it inflates to: 50 MiB in 50 kB', async () => {
    const parts = Array.from({ length: 50 * 16 }, zeros)
    const bomb = await compressed(new Uint8Array(await new Blob(parts).arrayBuffer()), 'gzip')
    expect(bomb.byteLength).toBeLessThan(64 * KiB)
    const { outcome } = await compose(
      () => new Response(bomb, { headers: { ...JSON_TYPE, 'content-encoding': 'gzip' } }),
    )
    expect(outcome).toEqual({ failed: true, error: 'too-large' })
  })

  test('is not read on when it inflates to nothing, for ever', async () => {
    const header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]
    const emptyBlocks = Array.from({ length: 100_000 }, () => [0, 0, 0, 0xff, 0xff])
    const { stream, sent } = sliced(new Uint8Array([header, ...emptyBlocks].flat()), 4 * KiB)
    const { outcome } = await compose(
      () => new Response(stream, { headers: { ...JSON_TYPE, 'content-encoding': 'gzip' } }),
      { 'max-bytes': '64KiB' },
    )
    expect(outcome).toEqual({ failed: true, error: 'too-large' })
    expect(sent.bytes).toBeLessThan(256 * KiB)
    expect(sent.cancelled).toBe(true)
  })
})

describe('a reply with strange JSON', () => {
  test('cannot reach a prototype', async () => {
    const body = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":1}'
    const page = await openPage({
      parts: { a: {}, b: { path: '/b?x={parts.a.body.polluted}&y={parts.a.body.valueOf}' } },
      answers: { a: () => new Response(body, { headers: JSON_TYPE }), b: {} },
    })
    expect(await (await page.fetch()).text()).toBe(`{"a":${body},"b":{}}`)
    expect(page.requestTo('b').url).toBe('http://b.test/b?x=&y=')
    expect('polluted' in {}).toBe(false)
    expect(await (await page.fetch()).text()).toBe(`{"a":${body},"b":{}}`)
  })

  test('may belong to parts with the names of built-in properties', async () => {
    const page = await openPage({
      config: `
version: 1
upstreams: { a: { url: http://a.test }, b: { url: http://b.test } }
routes:
  page:
    path: /page/:id
    policies:
      - aggregate:
          parts:
            toString: { upstream: a, path: /a }
            valueOf: { upstream: b, path: "/{parts.toString.body.x}" }
`,
      answers: { a: { x: 1 }, b: { y: 2 } },
    })
    expect(await (await page.fetch()).text()).toBe('{"toString":{"x":1},"valueOf":{"y":2}}')
  })

  test.each([
    { name: 'escaped lone surrogates', json: '{"a":"\\ud800","b":"\\udc00x"}' },
    { name: 'repeated keys', json: '{"a":1,"a":2}' },
    { name: 'numbers no float can hold', json: '[1e400,123456789012345678901234567890,-0,1.0000000000000000001]' },
    { name: 'the deepest nesting allowed', json: nested(64) },
    { name: 'bare values', json: '"text"' },
    { name: 'separators of lines', json: '"\u2028\u2029"' },
  ])('is passed on as it came: $name', async ({ json }) => {
    const { outcome, text } = await compose(() => new Response(json, { headers: JSON_TYPE }))
    expect(outcome).toEqual({ ok: true })
    expect(text).toBe(`{"a":${json},"b":{"fine":true}}`)
    expect(() => JSON.parse(text)).not.toThrow()
  })
})
