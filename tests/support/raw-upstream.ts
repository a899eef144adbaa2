import { type AddressInfo, createServer, type Socket } from 'node:net'
import { latin1, type RawMessage, readMessage, toBytes, valuesOf } from './raw-message.ts'

/**
 * One thing an upstream does. Bytes and text (latin1) are sent exactly as given; `drip` sends them byte by byte;
 * `hang` stays silent with the connection open; `close` ends it, cutting short what was promised; `reset` sends RST.
 */
export type RawStep =
  | string
  | Uint8Array
  | { readonly waitMs: number }
  | { readonly waitFor: Promise<unknown> }
  | { readonly drip: string | Uint8Array; readonly everyMs: number }
  | 'hang'
  | 'close'
  | 'reset'

/** Steps for every request, or a function that chooses them by the request (`index` counts from 0). */
export type RawScript = readonly RawStep[] | ((request: RawSeen, index: number) => Steps | Promise<Steps>)
type Steps = readonly RawStep[]

/** A request as it arrived on the wire. */
export interface RawSeen {
  /** `POST /orders HTTP/1.1` */
  readonly requestLine: string
  /** Every field in the order and case received. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** The body with its chunked framing removed; what has come so far when `answerAt` is `head`. */
  readonly body: Uint8Array
  /** The bytes received, framing included. */
  readonly raw: Uint8Array
  /** Which connection it came on, counted from 0: tells reuse and retries apart. */
  readonly connection: number
  /** Settles when that connection is closed by either side. */
  readonly connectionClosed: Promise<void>
  /** The values of a field, in order. */
  values(name: string): string[]
  /** Everything received, one byte a character. */
  text(): string
}

export interface RawUpstream {
  readonly port: number
  readonly url: string
  /** Every request seen so far, in order of arrival. */
  readonly requests: readonly RawSeen[]
  /** Bytes received on each connection, whether or not they were a request. */
  readonly received: readonly Uint8Array[]
  /** Connections open now. */
  open(): number
  close(): Promise<void>
}

export interface RawUpstreamOptions {
  /** When the script runs: once the whole body has come (the default), or as soon as the head has. */
  readonly answerAt?: 'body' | 'head'
}

/** Listens on a free port of 127.0.0.1 and answers each request with the steps of the script, byte for byte. */
export async function rawUpstream(script: RawScript, options: RawUpstreamOptions = {}): Promise<RawUpstream> {
  const requests: RawSeen[] = []
  const received: Uint8Array[] = []
  const sockets = new Set<Socket>()

  const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    const connection = received.push(new Uint8Array()) - 1
    const { promise: connectionClosed, resolve: markClosed } = Promise.withResolvers<void>()
    let at = 0
    let busy = false
    sockets.add(socket)
    socket.on('error', () => {}) // a peer's reset is something tests provoke; 'close' follows it
    socket.on('close', () => {
      sockets.delete(socket)
      markClosed()
    })
    // A peer that half-closes has left: every HTTP client that does so gives up the connection.
    socket.on('end', () => socket.end())
    socket.on('data', (bytes: Buffer) => {
      received[connection] = Buffer.concat([received[connection] ?? new Uint8Array(), bytes])
      void answer()
    })

    // One request at a time, so that pipelined ones are answered in order.
    const answer = async () => {
      while (!busy) {
        const message = readMessage(received[connection] ?? new Uint8Array(), at, {})
        if (!message || (options.answerAt !== 'head' && !message.complete)) return
        at = message.end
        const seen = toSeen(message, connection, connectionClosed)
        busy = true
        const steps = typeof script === 'function' ? script(seen, requests.push(seen) - 1) : script
        if (typeof script !== 'function') requests.push(seen)
        // After an answer to an unfinished request the rest of its body would be taken for the next one.
        busy = !((await play(socket, await steps)) && message.complete)
      }
    }
  })

  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    requests,
    received,
    open: () => sockets.size,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

/** Takes the steps in order; false when the connection is not to be used for another request. */
async function play(socket: Socket, steps: Steps): Promise<boolean> {
  for (const step of steps) {
    if (socket.destroyed) return false
    if (step === 'hang') return false
    if (step === 'reset') {
      socket.resetAndDestroy()
      return false
    }
    if (step === 'close') {
      socket.end()
      return false
    }
    if (typeof step === 'string' || step instanceof Uint8Array) await send(socket, toBytes(step))
    else if ('waitMs' in step) await pause(step.waitMs)
    else if ('waitFor' in step) await step.waitFor
    else {
      for (const byte of toBytes(step.drip)) {
        if (socket.destroyed) return false
        await send(socket, Uint8Array.of(byte))
        await pause(step.everyMs)
      }
    }
  }
  return true
}

/** Waits until the bytes have left, so that a reset after them does not overtake them. */
function send(socket: Socket, bytes: Uint8Array): Promise<void> {
  return new Promise((sent) => {
    socket.once('close', sent)
    socket.write(bytes, () => {
      socket.off('close', sent)
      sent()
    })
  })
}

function pause(ms: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, ms))
}

function toSeen(message: RawMessage, connection: number, connectionClosed: Promise<void>): RawSeen {
  const { startLine, headers, body, raw } = message
  return {
    requestLine: startLine,
    headers,
    body,
    raw,
    connection,
    connectionClosed,
    values: (name) => valuesOf(headers, name),
    text: () => latin1(raw),
  }
}

/** Raw upstreams of the tests of one file. */
export interface RawUpstreams {
  open(script: RawScript, options?: RawUpstreamOptions): Promise<RawUpstream>
  /** Closes all that were opened so far; after each test, once nobody calls them any more. */
  close(): Promise<void>
}

export function createRawUpstreams(): RawUpstreams {
  const opened: RawUpstream[] = []
  return {
    async open(script, options) {
      const upstream = await rawUpstream(script, options)
      opened.push(upstream)
      return upstream
    },
    async close() {
      await Promise.all(opened.splice(0).map((upstream) => upstream.close()))
    },
  }
}
