import { collect, declaredLength, parseJson } from '../../gateway/core/body.ts'
import { PartFailure } from './failure.ts'

/** A part's reply, read whole. */
export interface Reply {
  readonly status: number
  readonly headers: Headers
  /** The JSON text as the upstream wrote it, without what surrounds it: every digit of a number is kept. */
  readonly json: Uint8Array<ArrayBuffer>
  readonly body: unknown
}

/**
 * Reads a successful JSON reply of at most `maxBytes`, counted after decompression. Throws `PartFailure` for anything
 * else, and the signal's reason when that aborts; a body that is not wanted is cancelled.
 */
export async function readReply(response: Response, maxBytes: number, signal: AbortSignal): Promise<Reply> {
  try {
    signal.throwIfAborted()
    const { status, headers } = response
    if (!response.ok) throw new PartFailure('status', { status })
    checkMediaType(headers.get('content-type'))
    const bytes = await readBody(response, { maxBytes, signal })
    const body = parseJson(bytes, (detail) => invalid(`the body ${detail}`))
    return { status, headers, json: trimmed(bytes), body }
  } catch (error) {
    // An unread body would keep its connection; one that is being read is cancelled by its reader.
    response.body?.cancel().catch(() => {})
    throw error
  }
}

interface Bounds {
  readonly maxBytes: number
  readonly signal: AbortSignal
}

async function readBody(response: Response, bounds: Bounds): Promise<Uint8Array<ArrayBuffer>> {
  const coding = codingOf(response.headers.get('content-encoding'))
  if ((declaredLength(response) ?? 0) > bounds.maxBytes) throw tooLarge(bounds.maxBytes)
  const sent = await collectWithin(bounds, response.body)
  if (coding === 'identity') return sent
  return collectWithin(bounds, inSlices(sent).pipeThrough(new DecompressionStream(coding)))
}

async function collectWithin(
  { maxBytes, signal }: Bounds,
  stream: ReadableStream<Uint8Array> | null,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await collect(stream, maxBytes, tooLarge, signal)
  } catch (error) {
    if (error instanceof PartFailure) throw error
    throw invalid('the body broke off or could not be decoded')
  }
}

function invalid(cause: string): PartFailure {
  return new PartFailure('invalid-response', { cause })
}

function tooLarge(limitBytes: number): PartFailure {
  return new PartFailure('too-large', { cause: `the reply has more than ${limitBytes} bytes` })
}

const JSON_TYPE = /^(?:application\/json|[\w!#$&^.-]+\/[\w!#$&^.+-]+\+json)[\t ]*(?:;|$)/i
const CHARSET = /;[\t ]*charset[\t ]*=[\t ]*"?([^\s";]*)/i

/** RFC 8259 §11 has no charset; one that is named must be the one JSON is read in. */
function checkMediaType(type: string | null): void {
  if (type === null) throw invalid('the reply has no content type')
  if (!JSON_TYPE.test(type)) throw invalid(`the content type is ${quoted(type)}`)
  const charset = CHARSET.exec(type)?.[1]
  if (charset !== undefined && charset.toLowerCase() !== 'utf-8') throw invalid(`the charset is ${quoted(charset)}`)
}

const CODINGS: Readonly<Record<string, 'gzip' | 'deflate' | 'identity'>> = {
  gzip: 'gzip',
  'x-gzip': 'gzip',
  deflate: 'deflate',
  identity: 'identity',
}

/** Calls ask for `identity`; gzip and deflate are understood all the same, other codings and chains of them are not. */
function codingOf(encoding: string | null): 'gzip' | 'deflate' | 'identity' {
  const name = (encoding ?? 'identity').toLowerCase()
  const coding = Object.hasOwn(CODINGS, name) ? CODINGS[name] : undefined
  if (coding === undefined) throw invalid(`unsupported encoding ${quoted(name)}`)
  return coding
}

const SLICE_BYTES = 4_096

/** Some runtimes inflate a whole chunk before anybody can stop them: a small one bounds that to a few megabytes. */
function inSlices(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> {
  let start = 0
  return new ReadableStream(
    {
      pull(controller) {
        if (start < bytes.byteLength) controller.enqueue(bytes.subarray(start, start + SLICE_BYTES))
        else controller.close()
        start += SLICE_BYTES
      },
    },
    { highWaterMark: 0 },
  )
}

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf]
const WHITESPACE: ReadonlySet<number | undefined> = new Set([0x20, 0x09, 0x0a, 0x0d])

/** Valid JSON text without byte order mark and surrounding whitespace, so that it can stand inside another one. */
function trimmed(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  let start = BYTE_ORDER_MARK.every((octet, i) => bytes[i] === octet) ? BYTE_ORDER_MARK.length : 0
  let end = bytes.byteLength
  while (WHITESPACE.has(bytes[start])) start++
  while (WHITESPACE.has(bytes[end - 1])) end--
  return bytes.subarray(start, end)
}

/** What an upstream sent, short enough for a log line. */
function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 80))
}
