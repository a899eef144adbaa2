import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createRawUpstreams } from '../../../../tests/support/raw-upstream.ts'
import { until } from '../../../../tests/support/real-time.ts'
import type { OutgoingRequest } from '../../../upstream/transport.ts'
import { systemClock } from '../system-clock.ts'
import { ConnectionPools } from './pools.ts'
import { createCall, failureOf } from './test-call.ts'

/** Bodies in both directions, on real sockets. */

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const MEBIBYTE = 1_048_576
/** What the buffers of two sockets on one machine hold at the very most: those of Linux grow to 6 MiB and 4 MiB. */
const SOCKETS_BYTES = 12 * MEBIBYTE

let pools: ConnectionPools
const upstreams = createRawUpstreams()
const closing: (() => unknown)[] = []

beforeEach(() => {
  pools = new ConnectionPools(systemClock)
})
afterEach(async () => {
  pools.close()
  for (const close of closing.splice(0)) await close()
  await upstreams.close()
})

/** Hands over its sockets as they are. */
async function accepting(serve: (socket: Socket) => void): Promise<{ readonly url: string }> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => {})
    closing.push(() => socket.destroy())
    serve(socket)
  })
  await new Promise<void>((listens) => server.listen(0, '127.0.0.1', listens))
  closing.push(() => server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

function send({ url }: { readonly url: string }, request: Partial<OutgoingRequest> = {}): Promise<Response> {
  const { call, reply } = createCall(request)
  pools.to(url).send(call)
  return reply
}

/** Resolves once the number no longer grows, with the number. */
async function settled(count: () => number): Promise<number> {
  let last = -1
  let times = 0
  await until('it no longer grows', () => {
    times = count() === last && last > 0 ? times + 1 : 0
    last = count()
    return times === 40
  })
  return last
}

const bytes = (text: string) => new TextEncoder().encode(text)

describe('a download', () => {
  test('of 100 MiB that nobody reads is held back, and comes whole when it is read', async () => {
    let sent = 0
    const upstream = await accepting((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${100 * MEBIBYTE}\r\n\r\n`)
      const more = () => {
        while (sent < 100 * MEBIBYTE) {
          sent += MEBIBYTE
          if (!socket.write(Buffer.alloc(MEBIBYTE, sent / MEBIBYTE))) return
        }
      }
      socket.on('drain', more)
      more()
    })
    const reply = await send(upstream)
    expect(await settled(() => sent)).toBeLessThan(SOCKETS_BYTES)
    let read = 0
    let isInOrder = true
    for await (const piece of reply.body ?? []) {
      isInOrder &&= piece[0] === Math.floor(read / MEBIBYTE) + 1
      read += piece.byteLength
    }
    expect([read, isInOrder]).toEqual([100 * MEBIBYTE, true])
  })

  for (const [name, head, tail] of [
    ['by its length', `Content-Length: ${20 * MEBIBYTE}\r\n\r\n`, ''],
    ['by the end of the connection', '\r\n', ''],
    ['in chunks', `Transfer-Encoding: chunked\r\n\r\n${(20 * MEBIBYTE).toString(16)}\r\n`, '\r\n0\r\n\r\n'],
  ] as const) {
    test(`${name} comes whole though the upstream has closed before it is read`, async () => {
      const upstream = await upstreams.open([
        `HTTP/1.1 200 OK\r\n${head}`,
        new Uint8Array(20 * MEBIBYTE),
        tail,
        'close',
      ])
      const reply = await send(upstream)
      const slow = reply.body?.getReader()
      let read = 0
      for (;;) {
        const { done, value } = (await slow?.read()) ?? {}
        if (done || !value) break
        read += value.byteLength
        await new Promise(setImmediate)
      }
      expect(read).toBe(20 * MEBIBYTE)
    })

    test(`${name} that is reset does not look whole`, async () => {
      const upstream = await upstreams.open([`HTTP/1.1 200 OK\r\n${head}`, new Uint8Array(3 * MEBIBYTE), 'reset'])
      const reply = await failureOf(send(upstream).then((begun) => begun.arrayBuffer()))
      expect(reply).toMatchObject({ message: expect.stringMatching(/broke off|ECONNRESET/) })
    })
  }

  test('that is cancelled closes the connection', async () => {
    const upstream = await upstreams.open([
      'HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n',
      new Uint8Array(3 * MEBIBYTE),
      'hang',
    ])
    await (await send(upstream)).body?.cancel()
    await until('it is closed', () => upstream.open() === 0)
  })
})

describe('an upload', () => {
  /** `count` pieces of a MiB, made as they are asked for. */
  function pieces(count: number, made: { count: number }): ReadableStream<Uint8Array> {
    return new ReadableStream(
      {
        pull(controller) {
          if (made.count === count) return controller.close()
          made.count++
          controller.enqueue(new Uint8Array(MEBIBYTE))
        },
      },
      { highWaterMark: 0 },
    )
  }

  test('to an upstream that does not read waits, and arrives whole when it does', async () => {
    const sockets: Socket[] = []
    let received = 0
    const upstream = await accepting((socket) => sockets.push(socket.pause()))
    const made = { count: 0 }
    const headers = new Headers({ 'content-length': String(50 * MEBIBYTE) })
    const reply = send(upstream, { method: 'POST', headers, body: pieces(50, made) })
    expect(await settled(() => made.count)).toBeLessThan(SOCKETS_BYTES / MEBIBYTE)
    const [socket] = sockets
    let head = 0
    socket?.on('data', (data: Buffer) => {
      if (received === 0) head = data.indexOf('\r\n\r\n') + 4
      received += data.length
      if (received === head + 50 * MEBIBYTE) socket.write(OK)
    })
    socket?.resume()
    expect(await (await reply).text()).toBe('ok')
  })

  for (const length of ['as it was said', 'in chunks'] as const) {
    test(`arrives byte for byte, ${length}`, async () => {
      const upstream = await upstreams.open([OK])
      const body = new Response('one two three').body
      const headers = new Headers(length === 'in chunks' ? {} : { 'content-length': '13' })
      expect(await (await send(upstream, { method: 'PUT', headers, body })).text()).toBe('ok')
      const [request] = upstream.requests
      expect(Buffer.from(request?.body ?? []).toString()).toBe('one two three')
      expect(request?.values(length === 'in chunks' ? 'transfer-encoding' : 'content-length')).toHaveLength(1)
      await (await send(upstream)).text()
      expect(upstream.requests.map(({ connection }) => connection)).toEqual([0, 0])
    })
  }

  test('of bytes arrives whole, however large', async () => {
    const upstream = await upstreams.open([OK])
    const body = new Uint8Array(20 * MEBIBYTE).map((_, i) => i % 251)
    expect(await (await send(upstream, { method: 'POST', body })).text()).toBe('ok')
    expect(Buffer.compare(upstream.requests[0]?.body ?? new Uint8Array(), body)).toBe(0)
  })

  test('that is answered early is stopped, and its connection is not used again', async () => {
    const upstream = await upstreams.open(['HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno'], {
      answerAt: 'head',
    })
    const { promise: cancelled, resolve } = Promise.withResolvers<unknown>()
    const body = new ReadableStream<Uint8Array>({ start: (out) => out.enqueue(bytes('begin')), cancel: resolve })
    const reply = await send(upstream, { method: 'POST', body })
    expect([reply.status, await reply.text()]).toEqual([413, 'no'])
    await cancelled
    await until('it is closed', () => upstream.open() === 0)
  })

  test('goes on while the reply comes', async () => {
    const upstream = await accepting((socket) => {
      socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'))
      socket.on('data', (data: Buffer) => {
        const [piece] = /[a-z]+(?=\r\n)/.exec(data.toString().split('\r\n\r\n').pop() ?? '') ?? []
        if (piece) socket.write(`${piece.length.toString(16)}\r\n${piece}\r\n`)
        if (data.toString().endsWith('0\r\n\r\n')) socket.write('0\r\n\r\n')
      })
    })
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
    const reply = await send(upstream, { method: 'POST', body: readable })
    const writer = writable.getWriter()
    const reader = reply.body?.getReader()
    for (const word of ['ping', 'pong']) {
      void writer.write(bytes(word))
      expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe(word)
    }
    void writer.close()
    expect((await reader?.read())?.done).toBe(true)
  })

  test('that breaks off fails the call, and the upstream never takes it for whole', async () => {
    const upstream = await upstreams.open([OK])
    const body = new ReadableStream<Uint8Array>({
      start: (out) => out.enqueue(bytes('begin')),
      pull: () =>
        until('the beginning is there', () => String(upstream.received[0]).includes('begin')).then(() => {
          throw new Error('the client left')
        }),
    })
    expect(await failureOf(send(upstream, { method: 'POST', body }))).toMatchObject({ message: 'the client left' })
    await until('it is closed', () => upstream.open() === 0)
    expect(upstream.requests).toEqual([])
  })

  for (const [name, text] of [
    ['longer', 'one two three'],
    ['shorter', 'one'],
  ] as const) {
    test(`that is ${name} than was said fails the call, and nothing beyond it is sent`, async () => {
      const upstream = await upstreams.open([OK])
      const headers = new Headers({ 'content-length': '7' })
      const failure = await failureOf(send(upstream, { method: 'POST', headers, body: new Response(text).body }))
      expect(failure).toMatchObject({ message: `The body is ${name} than its Content-Length` })
      await until('it is closed', () => upstream.received.length === 1 && upstream.open() === 0)
      expect([upstream.requests.length, Buffer.from(upstream.received[0] ?? []).includes('three')]).toEqual([0, false])
    })
  }

  test('is not sent again, though it is a kept connection that dies', async () => {
    const upstream = await upstreams.open((_, index) => (index === 0 ? [OK] : ['reset']))
    await (await send(upstream)).text()
    const failure = await failureOf(send(upstream, { method: 'PUT', body: new Response('once').body }))
    expect(failure).toMatchObject({ name: 'ConnectionFailure', isUnsent: false })
    expect(upstream.requests).toHaveLength(2)
  })
})
