import { ClientGone, GatewayError } from './errors.ts'
import { Gathered } from './gathered.ts'

/** What is sent to an upstream: nothing, bytes that can be sent again, or a stream that cannot. */
export type CallBody = Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null

/** The client's request body: streamed by default, read into memory only when a policy asks, never over the limit. */
export interface IncomingBody {
  /** Reads the whole body once and remembers it. Throws `body-too-large`, or `ClientGone` when it breaks off. */
  bytes(): Promise<Uint8Array<ArrayBuffer>>
  /** The body as JSON; `undefined` when there is none. Throws `invalid-request`. */
  json(): Promise<unknown>
  /** The JSON read by an earlier `json()`, for templates. */
  readonly parsed: unknown
  /** For forwarding: the bytes when they were read, else the stream itself, which can be taken once. */
  take(): CallBody
  /** True while the client is waited for to send, whoever reads what it sends. */
  readonly isReading: boolean
  /** Why a stream that was handed out broke off: the client sent too much, or left. */
  readonly failure: Error | undefined
}

/** Deepest nesting accepted in a JSON document; deeper ones are refused before they reach a recursive walk. */
export const MAX_JSON_DEPTH = 64

/** An upstream that has not asked for more within this time of a chunk is the one that is waited for. */
const UPSTREAM_TURN_MS = 250

/**
 * Wraps a request body; `limitBytes` holds with and without `Content-Length`. Without `now` (milliseconds) a client
 * that trickles is told from an upstream that does not read only at the very moment.
 */
export function createIncomingBody(
  request: Request,
  limitBytes: number,
  now: () => number = () => Number.NaN,
): IncomingBody {
  return request.body === null ? NO_BODY : readable(request.body, limitBytes, now)
}

function readable(source: ReadableStream<Uint8Array>, limitBytes: number, now: () => number): IncomingBody {
  let read: Promise<Uint8Array<ArrayBuffer>> | undefined
  let buffered: Uint8Array<ArrayBuffer> | undefined
  let taken = false
  let parsed: unknown
  let waiting = false
  let chunkAt = Number.NaN
  let failure: Error | undefined
  const fail = (error: Error): Error => {
    failure = error
    return error
  }

  const bytes = (): Promise<Uint8Array<ArrayBuffer>> => {
    if (taken) throw new TypeError('The request body was already forwarded as a stream')
    read ??= collect(source, limitBytes, bodyTooLarge).then(
      (all) => {
        buffered = all
        return all
      },
      (error: unknown) => {
        throw error instanceof GatewayError ? error : fail(new ClientGone())
      },
    )
    return read
  }

  return {
    bytes,
    async json() {
      const all = await bytes()
      if (all.byteLength === 0) return undefined
      parsed ??= parseJson(all, (detail) => new GatewayError('invalid-request', { detail: `The body ${detail}` }))
      return parsed
    },
    get parsed() {
      return parsed
    },
    take() {
      if (buffered) return buffered
      if (taken) throw new TypeError('The request body can be streamed only once')
      taken = true
      return watched(source, limitBytes, {
        fail,
        wait: (isWaiting) => (waiting = isWaiting),
        passed: (isLast) => (chunkAt = isLast ? Number.NaN : now()),
      })
    },
    get isReading() {
      const trickles = now() - chunkAt < UPSTREAM_TURN_MS
      return waiting || trickles || (read !== undefined && buffered === undefined)
    },
    get failure() {
      return failure
    },
  }
}

/** That of most requests: there is none. All of them share it. */
const NO_BODY: IncomingBody = Object.freeze({
  bytes: async () => new Uint8Array(),
  json: async () => undefined,
  parsed: undefined,
  take: () => null,
  isReading: false,
  failure: undefined,
})

/** The connection is closed afterwards: the rest of the body is not worth reading. */
export function bodyTooLarge(limitBytes: number): GatewayError {
  return new GatewayError('body-too-large', {
    detail: `The body may have at most ${limitBytes} bytes`,
    headers: { connection: 'close' },
  })
}

/** `Content-Length` as a number, or undefined. The value was checked at the door. */
export function declaredLength(fields: Pick<Headers, 'get'>): number | undefined {
  const value = fields.get('content-length')
  return value === null ? undefined : Number(value)
}

/**
 * Reads a stream into one array and gives up, cancelling the stream, as soon as it exceeds the limit or `signal` aborts;
 * then it rejects with what `tooLarge` makes, or with the signal's reason.
 */
export async function collect(
  source: ReadableStream<Uint8Array> | null,
  limitBytes: number,
  tooLarge: (limitBytes: number) => Error,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  if (!source) return new Uint8Array()
  const reader = source.getReader()
  const gathered = new Gathered()
  const cancel = () => void reader.cancel(signal?.reason).catch(() => {})
  signal?.addEventListener('abort', cancel, { once: true })
  try {
    for (;;) {
      const { done, value } = await reader.read()
      // Cancelling ends a pending read as if the stream had ended.
      signal?.throwIfAborted()
      if (done) break
      if (gathered.size + value.byteLength > limitBytes) {
        cancel()
        throw tooLarge(limitBytes)
      }
      gathered.add(value)
    }
  } finally {
    signal?.removeEventListener('abort', cancel)
  }
  return gathered.whole()
}

interface Watcher {
  fail(error: Error): Error
  wait(isWaiting: boolean): void
  /** A chunk went on, or the end of the body. */
  passed(isLast: boolean): void
}

/** Reads only when asked, so that a wait for the next chunk is the client's doing and not the upstream's. */
function watched(
  source: ReadableStream<Uint8Array>,
  limitBytes: number,
  { fail, wait, passed }: Watcher,
): ReadableStream<Uint8Array> {
  const reader = source.getReader()
  let size = 0
  const next = async () => {
    wait(true)
    try {
      return await reader.read()
    } catch {
      throw fail(new ClientGone())
    } finally {
      wait(false)
    }
  }
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await next()
        passed(done)
        if (done) return controller.close()
        size += value.byteLength
        if (size > limitBytes) {
          reader.cancel().catch(() => {})
          throw fail(bodyTooLarge(limitBytes))
        }
        controller.enqueue(value)
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}

const STRICT_UTF8 = new TextDecoder('utf-8', { fatal: true })

/** Parses UTF-8 JSON strictly: invalid UTF-8, invalid JSON and nesting beyond `MAX_JSON_DEPTH` are failures. */
export function parseJson(bytes: Uint8Array, failure: (detail: string) => Error): unknown {
  let text: string
  try {
    text = STRICT_UTF8.decode(bytes)
  } catch {
    throw failure('is not valid UTF-8')
  }
  if (nestsDeeperThan(text, MAX_JSON_DEPTH)) throw failure(`nests deeper than ${MAX_JSON_DEPTH} levels`)
  try {
    return JSON.parse(text)
  } catch {
    throw failure('is not valid JSON')
  }
}

function nestsDeeperThan(text: string, limit: number): boolean {
  let depth = 0
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (quoted) {
      if (unit === BACKSLASH) i++
      else if (unit === QUOTE) quoted = false
    } else if (unit === QUOTE) quoted = true
    else if (unit === OPEN_BRACKET || unit === OPEN_BRACE) {
      if (++depth > limit) return true
    } else if (unit === CLOSE_BRACKET || unit === CLOSE_BRACE) depth--
  }
  return false
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
