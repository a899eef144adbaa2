import { connect } from 'node:net'
import { latin1, type RawMessage, readMessage, toBytes, valuesOf } from './raw-message.ts'

/** Something to send: bytes exactly as given (text is latin1), a pause in milliseconds, or a promise to wait for. */
export type RawChunk = string | Uint8Array | number | Promise<unknown>

export interface RawRequestOptions {
  /** How long to wait in all, in milliseconds; default 5,000. What has come by then is returned. */
  readonly timeoutMs?: number
  /** How many final replies to wait for, 1xx not counted; default 1. */
  readonly replies?: number
  /** Set when the requests are HEAD: their replies have no body whatever `Content-Length` says. */
  readonly head?: boolean
  /** Closes the sending half after the last chunk, as a client does that will ask for nothing more. */
  readonly halfClose?: boolean
  /** Waits for the peer to close even when every reply has come, so that `closed` is certain. */
  readonly waitForClose?: boolean
  /** Aborting it resets the connection: the client that leaves. What has come by then is returned. */
  readonly signal?: AbortSignal
  /** Called with every piece of bytes received, for tests of streaming. */
  readonly onData?: (bytes: Uint8Array) => void
}

export interface RawReply {
  readonly status: number
  readonly statusText: string
  /** Every field in the order and case received, repeated ones included. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** The body with its chunked framing removed, otherwise as received. */
  readonly body: Uint8Array
  /** False when the connection or the time ended before the body did. */
  readonly complete: boolean
  /** True when the peer closed or reset the connection before `rawRequest` returned. */
  readonly closed: boolean
  /** The bytes of this reply, framing included. */
  readonly raw: Uint8Array
  /** The body as UTF-8. */
  text(): string
  /** The values of a field joined by commas, or `undefined`. */
  header(name: string): string | undefined
}

/**
 * Sends bytes exactly as given to 127.0.0.1 and parses what comes back, 1xx replies included. Bytes that are no HTTP
 * become one reply with status 0; silence becomes no reply. Rejects only when the connection cannot be made.
 */
export function rawRequest(
  port: number,
  input: string | Uint8Array | readonly RawChunk[],
  options: RawRequestOptions = {},
): Promise<RawReply[]> {
  const { timeoutMs = 5_000, replies: wanted = 1, signal } = options
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0)
    let connected = false
    let closed = false
    let ended = false
    // Half-open is allowed so that a peer that closes early does not cut off what is still being sent.
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })

    const finish = () => {
      if (ended) return
      ended = true
      clearTimeout(timer)
      signal?.removeEventListener('abort', leave)
      socket.destroy()
      resolve(parseReplies(received, closed, options.head === true))
    }
    const leave = () => {
      socket.resetAndDestroy()
      finish()
    }
    const closeAndFinish = () => {
      closed = true
      finish()
    }
    const timer = setTimeout(finish, timeoutMs)
    signal?.addEventListener('abort', leave)

    socket.on('data', (bytes: Buffer) => {
      if (ended) return
      options.onData?.(bytes)
      received = Buffer.concat([received, bytes])
      if (options.waitForClose) return
      const finals = parseReplies(received, false, options.head === true).filter(isFinal)
      if (finals.length >= wanted) finish()
    })
    socket.on('end', closeAndFinish)
    socket.on('close', closeAndFinish)
    socket.on('error', (error) => {
      if (connected) return closeAndFinish()
      ended = true
      clearTimeout(timer)
      reject(error)
    })
    socket.on('connect', async () => {
      connected = true
      const chunks = typeof input === 'string' || input instanceof Uint8Array ? [input] : input
      for (const chunk of chunks) {
        if (typeof chunk === 'number') await new Promise((wake) => setTimeout(wake, chunk))
        else if (chunk instanceof Promise) await chunk
        else if (!ended) await new Promise((written) => socket.write(toBytes(chunk), written))
        if (ended) return
      }
      if (options.halfClose) socket.end()
    })
  })
}

function isFinal(reply: RawReply): boolean {
  return reply.complete && (reply.status >= 200 || reply.status === 101)
}

/** Parses the replies of one connection; exported for tests that read a socket of their own. */
export function parseReplies(bytes: Uint8Array, closed: boolean, head = false): RawReply[] {
  const replies: RawReply[] = []
  const bodiless = (line: string) => head || /^HTTP\/\d\.\d (1\d\d|204|304)\b/.test(line)
  let at = 0
  while (at < bytes.length) {
    const message = readMessage(bytes, at, { bodiless, untilClose: true, closed }) ?? rest(bytes, at)
    replies.push(toReply(message, closed))
    at = message.end
  }
  return replies
}

/** What is left when no head can be read: HTTP/0.9, garbage, or a head cut short. */
function rest(bytes: Uint8Array, at: number): RawMessage {
  const raw = bytes.subarray(at)
  return { startLine: '', headers: [], body: raw, complete: false, raw, end: bytes.length }
}

function toReply({ startLine, headers, body, complete, raw }: RawMessage, closed: boolean): RawReply {
  const [, status = '0', statusText = ''] = /^HTTP\/\d\.\d (\d+) ?(.*)$/.exec(startLine) ?? []
  return {
    status: Number(status),
    statusText,
    headers,
    body,
    complete,
    closed,
    raw,
    text: () => new TextDecoder().decode(body),
    header: (name) => valuesOf(headers, name).join(', ') || (valuesOf(headers, name).length ? '' : undefined),
  }
}

/** All bytes of some replies as text, one byte a character, for messages and exact comparisons. */
export function rawText(replies: readonly RawReply[]): string {
  return replies.map(({ raw }) => latin1(raw)).join('')
}
