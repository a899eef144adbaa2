import { beforeEach, describe, expect, test } from 'bun:test'
import type { Http1Call } from './call.ts'
import { type Keeper, UpstreamConnection, type Wire } from './connection.ts'
import { linesOfHost } from './request-head.ts'
import { createCall, failureOf } from './test-call.ts'

/** A socket that takes `room` more bytes, then none until it drains. */
class NarrowWire implements Wire {
  room = Number.POSITIVE_INFINITY
  sent = ''
  readonly events: string[] = []
  readonly #connection: UpstreamConnection

  constructor(connection: UpstreamConnection) {
    this.#connection = connection
  }

  write(data: string | Bun.BufferSource, from = 0, length = (data as Uint8Array).byteLength - from): number {
    if (this.events.includes('terminate')) return -1
    const bytes = Buffer.from(data as Uint8Array).subarray(from, from + Math.min(length, this.room))
    this.room -= bytes.length
    this.sent += bytes.toString('latin1')
    return bytes.length
  }

  pause(): void {
    this.events.push('pause')
  }

  resume(): void {
    this.events.push('resume')
  }

  /** As Bun does, it tells of its end before it returns. */
  end(): number {
    this.events.push('end')
    this.#connection.closed()
    return 0
  }

  terminate(): void {
    this.events.push('terminate')
    this.#connection.closed()
  }

  setNoDelay(): boolean {
    return true
  }
}

class Recorder implements Keeper {
  readonly hostLines = linesOfHost('up.test')
  readonly events: string[] = []
  readonly repeated: Http1Call[] = []
  opened(): void {
    this.events.push('opened')
  }
  keep(): void {
    this.events.push('keep')
  }
  forget(): void {
    this.events.push('forget')
  }
  repeat(call: Http1Call): void {
    this.repeated.push(call)
  }
}

let keeper: Recorder
let connection: UpstreamConnection
let wire: NarrowWire

beforeEach(() => {
  keeper = new Recorder()
  ;({ connection, wire } = open())
})

function open(): { readonly connection: UpstreamConnection; readonly wire: NarrowWire } {
  const opened = new UpstreamConnection(keeper, 0)
  const socket = new NarrowWire(opened)
  opened.opened(socket)
  return { connection: opened, wire: socket }
}

const bytes = (text: string) => Buffer.from(text, 'latin1')
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const HEAD = 'GET / HTTP/1.1\r\nhost: up.test\r\nconnection: keep-alive\r\n\r\n'

/** Serves one call, so that the connection is a kept one. */
async function serveOne(): Promise<void> {
  const { call, reply } = createCall()
  connection.carry(call)
  connection.data(bytes(OK))
  await reply
}

describe('what a socket does not take at once', () => {
  test('leaves when it drains, though other calls were written meanwhile', () => {
    const body = new TextEncoder().encode('x'.repeat(1_000))
    wire.room = 10
    connection.carry(createCall({ method: 'POST', body }).call)
    const other = open()
    other.connection.carry(createCall({ method: 'POST', body: new TextEncoder().encode('y'.repeat(1_000)) }).call)
    wire.room = 500
    connection.drain()
    wire.room = 5_000
    connection.drain()
    expect(wire.sent).toBe(
      `POST / HTTP/1.1\r\nhost: up.test\r\nconnection: keep-alive\r\ncontent-length: 1000\r\n\r\n${'x'.repeat(1_000)}`,
    )
    expect(other.wire.sent).toEndWith('y'.repeat(1_000))
  })

  test('keeps its place before the rest of an upload', async () => {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
    wire.room = 10
    connection.carry(createCall({ method: 'POST', body: readable }).call)
    const writer = writable.getWriter()
    await writer.write(bytes('first'))
    void writer.write(bytes('second'))
    void writer.close()
    for (let turn = 0; turn < 10; turn++) {
      await Bun.sleep(0)
      wire.room = 1_000
      connection.drain()
    }
    expect(wire.sent).toBe(
      'POST / HTTP/1.1\r\nhost: up.test\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n',
    )
  })

  test('is not sent on the same connection after the reply: it is closed', async () => {
    wire.room = 10
    const { call, reply } = createCall()
    connection.carry(call)
    connection.data(bytes(OK))
    expect((await reply).status).toBe(200)
    expect([keeper.events, wire.events]).toEqual([['opened', 'forget'], ['terminate']])
  })
})

describe('a connection', () => {
  test('is kept after a reply', async () => {
    await serveOne()
    expect([keeper.events, wire.events, wire.sent]).toEqual([['opened', 'keep'], [], HEAD])
  })

  for (const [name, reply] of [
    ['the upstream closes it', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'],
    ['more came than the reply', `${OK}HTTP/1.1`],
    ['a body came that must not', 'HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n'],
  ] as const) {
    test(`is closed when ${name}`, async () => {
      const { call, reply: answer } = createCall()
      connection.carry(call)
      connection.data(bytes(reply))
      expect((await answer).ok).toBe(true)
      expect([keeper.events, wire.events]).toEqual([['opened', 'forget'], ['end']])
    })
  }

  // `Response` refuses bodies of some statuses on other runtimes, and Bun may come to do so.
  for (const [name, pieces] of [
    ['at once', ['HTTP/1.1 205 Reset Content\r\nContent-Length: 2\r\n\r\nok']],
    ['in pieces', ['HTTP/1.1 205 Reset Content\r\nContent-Length: 2\r\n\r\n', 'ok']],
  ] as const) {
    test(`is kept after a status that has no body though one comes, ${name}`, async () => {
      const { call, reply } = createCall()
      connection.carry(call)
      for (const piece of pieces) {
        connection.data(bytes(piece))
        await new Promise(setImmediate)
      }
      expect((await reply).status).toBe(205)
      expect(keeper.events).toEqual(['opened', 'keep'])
    })
  }

  test('is closed when something comes that nobody asked for', async () => {
    await serveOne()
    connection.data(bytes('HTTP/1.1 408 Request Timeout\r\n\r\n'))
    expect([keeper.events, wire.events]).toEqual([['opened', 'keep', 'forget'], ['terminate']])
  })

  test('is closed with a reply that is none, and its call fails', async () => {
    const { call, reply } = createCall()
    connection.carry(call)
    connection.data(bytes('SSH-2.0'))
    expect(await failureOf(reply)).toMatchObject({ name: 'MalformedReply', message: 'no status line' })
    expect(wire.events).toEqual(['terminate'])
  })
})

describe('a kept connection that dies before a byte of the reply', () => {
  beforeEach(serveOne)

  for (const method of ['GET', 'HEAD', 'OPTIONS']) {
    test(`has ${method} sent again, once`, () => {
      const { call } = createCall({ method })
      connection.carry(call)
      connection.closed()
      expect(keeper.repeated).toEqual([call])
      expect(call.isOver).toBe(false)
      expect(call.mayRepeat()).toBe(false)
    })
  }

  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'QUERY', 'PROPFIND']) {
    test(`has ${method} not sent again`, async () => {
      const { call, reply } = createCall({ method })
      connection.carry(call)
      connection.closed()
      expect(await failureOf(reply)).toMatchObject({ code: 'closed before a reply', isUnsent: false })
      expect(keeper.repeated).toEqual([])
    })
  }

  for (const [name, begin] of [
    ['a byte of the reply has come', 'H'],
    ['an informational reply has come', 'HTTP/1.1 103 Early Hints\r\n\r\n'],
  ] as const) {
    test(`has nothing sent again when ${name}`, async () => {
      const { call, reply } = createCall()
      connection.carry(call)
      connection.data(bytes(begin))
      connection.closed()
      expect(await failureOf(reply)).toMatchObject({ name: 'ConnectionFailure' })
      expect(keeper.repeated).toEqual([])
    })
  }

  test('has no call sent again that was given up', () => {
    const { call } = createCall({ signal: AbortSignal.abort() })
    call.giveUp(new Error('gone'))
    connection.carry(call)
    connection.closed()
    expect(keeper.repeated).toEqual([])
  })
})

test('a call whose body is being read already fails, and its connection is not left open for it', async () => {
  await serveOne()
  const body = new ReadableStream<Uint8Array>()
  body.getReader()
  const { call, reply } = createCall({ method: 'POST', body })
  expect(() => connection.carry(call)).not.toThrow()
  expect(await failureOf(reply)).toBeInstanceOf(TypeError)
  expect([keeper.events, wire.events]).toEqual([['opened', 'keep', 'forget'], ['terminate']])
})

test('a new connection that dies has nothing sent again', async () => {
  const { call, reply } = createCall()
  connection.carry(call)
  connection.closed(Object.assign(new Error('reset'), { code: 'ECONNRESET' }))
  expect(await failureOf(reply)).toMatchObject({ code: 'ECONNRESET', isUnsent: false })
  expect(keeper.repeated).toEqual([])
})

describe('a body that ends with the connection', () => {
  const begin = async () => {
    const { call, reply } = createCall()
    connection.carry(call)
    connection.data(bytes('HTTP/1.1 200 OK\r\n\r\nabc'))
    return await reply
  }

  test('is whole when the upstream ends it', async () => {
    const reply = await begin()
    connection.ended()
    expect(await reply.text()).toBe('abc')
  })

  test('is not whole after a reset', async () => {
    const reply = await begin()
    connection.closed(Object.assign(new Error('reset'), { code: 'ECONNRESET' }))
    expect(await failureOf(reply.text())).toMatchObject({ message: 'the reply broke off' })
  })
})

describe('a reply that nobody reads', () => {
  const LONG = 'HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n'

  test('stops the upstream beyond 64 KiB, until it is read', async () => {
    const { call, reply } = createCall()
    connection.carry(call)
    connection.data(bytes(LONG))
    const reader = (await reply).body?.getReader()
    connection.data(Buffer.alloc(65_000))
    expect(wire.events).toEqual([])
    connection.data(Buffer.alloc(280))
    expect(wire.events).toEqual(['pause'])
    await reader?.read()
    await Bun.sleep(0)
    expect(wire.events).toEqual(['pause', 'resume'])
  })

  test('stops the upstream beyond 256 pieces, however small they are', async () => {
    const { call, reply } = createCall()
    connection.carry(call)
    connection.data(bytes(LONG))
    await reply
    for (let i = 0; i < 255; i++) connection.data(Buffer.alloc(1))
    expect(wire.events).toEqual([])
    connection.data(Buffer.alloc(1))
    expect(wire.events).toEqual(['pause'])
  })

  test('closes the connection when it is cancelled', async () => {
    const { call, reply } = createCall()
    connection.carry(call)
    connection.data(bytes(LONG))
    await (await reply).body?.cancel()
    expect([keeper.events, wire.events]).toEqual([['opened', 'forget'], ['terminate']])
  })
})
