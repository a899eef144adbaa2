import { describe, expect, test } from 'bun:test'
import { createIncomingBody, MAX_JSON_DEPTH, parseJson } from './body.ts'
import { ClientGone, GatewayError } from './errors.ts'

const encoder = new TextEncoder()

/** A request whose body comes in the given pieces; nothing of `Request` is needed but these two. */
function requestOf(chunks: readonly string[], fields: Record<string, string> = {}): Request {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(encoder.encode(chunk))
      controller.close()
    },
  })
  return { body, headers: new Headers(fields) } as Request
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work
  } catch (error) {
    return error instanceof GatewayError ? error.code : error
  }
  return undefined
}

describe('a body that is read', () => {
  test('is whole, and read once however often it is asked for', async () => {
    const body = createIncomingBody(requestOf(['he', '', 'llo']), 5)
    const [first, second] = await Promise.all([body.bytes(), body.bytes()])
    expect(new TextDecoder().decode(first)).toBe('hello')
    expect(second).toBe(first)
    expect(body.take()).toBe(first)
    expect(body.take()).toBe(first)
  })

  test('is refused one byte above the limit, and the rest is not read', async () => {
    let cancelled = false
    let pulled = 0
    const source = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled++
        controller.enqueue(encoder.encode('abc'))
      },
      cancel() {
        cancelled = true
      },
    })
    const body = createIncomingBody({ body: source, headers: new Headers() } as Request, 5)
    expect(await failureOf(body.bytes())).toBe('body-too-large')
    expect(cancelled).toBe(true)
    expect(pulled).toBeLessThan(5)
  })

  test('says while the client is waited for', async () => {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
    const writer = writable.getWriter()
    const body = createIncomingBody({ body: readable, headers: new Headers() } as Request, 5)
    expect(body.isReading).toBe(false)
    const reading = body.bytes()
    expect(body.isReading).toBe(true)
    await writer.write(encoder.encode('x'))
    await writer.close()
    await reading
    expect(body.isReading).toBe(false)
  })

  test('that breaks off is the client’s doing', async () => {
    const source = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.error(new TypeError('connection lost'))
      },
    })
    const body = createIncomingBody({ body: source, headers: new Headers() } as Request, 5)
    expect(await failureOf(body.bytes())).toBeInstanceOf(ClientGone)
  })

  test('may not be there', async () => {
    const body = createIncomingBody(new Request('http://a.test/'), 5)
    expect(body.take()).toBeNull()
    expect(await body.json()).toBeUndefined()
  })

  test('that is not there cannot be made to look there for another request', () => {
    const body = createIncomingBody(new Request('http://gateway.test/'), 5)
    expect(() => Object.assign(body, { failure: new ClientGone() })).toThrow(TypeError)
    expect(createIncomingBody(new Request('http://gateway.test/'), 5).failure).toBeUndefined()
  })

  test('is parsed once', async () => {
    const body = createIncomingBody(requestOf(['{"a":', '1}']), 100)
    expect(body.parsed).toBeUndefined()
    const value = await body.json()
    expect(value).toEqual({ a: 1 })
    expect(await body.json()).toBe(value)
    expect(body.parsed).toBe(value)
  })
})

describe('a body that is handed on', () => {
  async function readAll(stream: unknown): Promise<string> {
    return new Response(stream as ReadableStream).text()
  }

  test('comes through in its pieces, once', async () => {
    const body = createIncomingBody(requestOf(['he', 'llo']), 5)
    expect(await readAll(body.take())).toBe('hello')
    expect(() => body.take()).toThrow(TypeError)
    expect(() => body.bytes()).toThrow(TypeError)
    expect([body.failure, body.isReading]).toEqual([undefined, false])
  })

  test('breaks off above the limit, and remembers why', async () => {
    const body = createIncomingBody(requestOf(['hel', 'lo!']), 5)
    expect(await failureOf(readAll(body.take()))).toBeDefined()
    expect(body.failure).toMatchObject({ code: 'body-too-large', headers: { connection: 'close' } })
  })

  test('counts as the client’s to send for a moment after each chunk, so that trickling blames nobody else', async () => {
    let nowMs = 1_000
    const body = createIncomingBody(requestOf(['a', 'b']), 5, () => nowMs)
    const reader = (body.take() as ReadableStream<Uint8Array>).getReader()
    expect(body.isReading).toBe(false)
    await reader.read()
    nowMs += 249
    expect(body.isReading).toBe(true)
    nowMs += 1
    expect(body.isReading).toBe(false)
    await reader.read()
    await reader.read()
    expect(body.isReading).toBe(false)
  })

  test('is not read before somebody asks', async () => {
    let pulled = 0
    const source = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          pulled++
          controller.enqueue(encoder.encode('x'))
        },
      },
      { highWaterMark: 0 },
    )
    const reader = (
      createIncomingBody({ body: source, headers: new Headers() } as Request, 5).take() as ReadableStream
    ).getReader()
    await Promise.resolve()
    expect(pulled).toBe(0)
    await reader.read()
    expect(pulled).toBe(1)
  })

  test('tells a client that does not send from an upstream that does not read', async () => {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
    const writer = writable.getWriter()
    const body = createIncomingBody({ body: readable, headers: new Headers() } as Request, 5)
    const reader = (body.take() as ReadableStream<Uint8Array>).getReader()
    expect(body.isReading).toBe(false)
    const first = reader.read()
    await Promise.resolve()
    expect(body.isReading).toBe(true)
    void writer.write(encoder.encode('x'))
    await first
    expect(body.isReading).toBe(false)
  })

  test('that breaks off is the client’s doing', async () => {
    const source = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.error(new TypeError('connection lost'))
      },
    })
    const body = createIncomingBody({ body: source, headers: new Headers() } as Request, 5)
    expect(await failureOf(readAll(body.take()))).toBeDefined()
    expect(body.failure).toBeInstanceOf(ClientGone)
  })
})

describe('JSON', () => {
  const parse = (text: string | Uint8Array) =>
    parseJson(typeof text === 'string' ? encoder.encode(text) : text, (detail) => new Error(detail))

  test('is parsed up to its depth', () => {
    const deep = `${'['.repeat(MAX_JSON_DEPTH)}${']'.repeat(MAX_JSON_DEPTH)}`
    expect(() => parse(deep)).not.toThrow()
    expect(() => parse(`[${deep}]`)).toThrow(`nests deeper than ${MAX_JSON_DEPTH} levels`)
    expect(() => parse('[{'.repeat(50_000))).toThrow('nests deeper')
  })

  test('may hold brackets in its texts', () => {
    const text = '['.repeat(1_000)
    expect(parse(JSON.stringify({ text, quoted: '"[[\\', more: [text] }))).toEqual({
      text,
      quoted: '"[[\\',
      more: [text],
    })
  })

  for (const [name, input, reason] of [
    ['text that is no JSON', '{"a": 1', 'is not valid JSON'],
    ['nothing', '', 'is not valid JSON'],
    ['NaN', 'NaN', 'is not valid JSON'],
    ['bytes that are no UTF-8', new Uint8Array([34, 255, 34]), 'is not valid UTF-8'],
  ] as const) {
    test(`is not ${name}`, () => {
      expect(() => parse(input)).toThrow(reason)
    })
  }

  test('with keys of the prototype changes nothing', () => {
    const value = parse('{"__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": true}}}')
    expect(Object.keys(value as object)).toEqual(['__proto__', 'constructor'])
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })
})
