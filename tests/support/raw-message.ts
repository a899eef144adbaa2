/** The framing of HTTP/1.1 (RFC 9112), read leniently: a test wants to see what was sent, not an opinion about it. */

export interface RawMessage {
  /** The request line or status line, as sent. */
  readonly startLine: string
  /** Every field in the order and case sent, repeated ones included. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** The body with its chunked framing removed. */
  readonly body: Uint8Array
  /** False when the bytes ended before the body did. */
  readonly complete: boolean
  /** Everything from the first byte of the start line to the last byte of the body. */
  readonly raw: Uint8Array
  /** Bytes consumed; the next message begins here. */
  readonly end: number
}

export interface Framing {
  /** True when the message has no body whatever its fields say: a reply to HEAD, 1xx, 204, 304. */
  readonly bodiless?: (startLine: string) => boolean
  /** True when a body without a length lasts until the connection closes: replies. */
  readonly untilClose?: boolean
  /** True when the peer has closed the connection: no more bytes will come. */
  readonly closed?: boolean
}

/** Bytes to text, one byte a character, so that nothing sent is lost or repaired. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

/** Text to bytes, one character a byte (`'\xff'` is the byte 255); bytes pass unchanged. */
export function toBytes(input: string | Uint8Array): Uint8Array {
  return typeof input === 'string' ? Buffer.from(input, 'latin1') : input
}

/** Every value of a field, compared without regard to case. */
export function valuesOf(headers: RawMessage['headers'], name: string): string[] {
  return headers.filter(([each]) => each.toLowerCase() === name.toLowerCase()).map(([, value]) => value)
}

/** Reads the message that begins at `start`, or `undefined` while its head is not complete. */
export function readMessage(bytes: Uint8Array, start: number, framing: Framing): RawMessage | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const headEnd = buffer.indexOf('\r\n\r\n', start, 'latin1')
  if (headEnd < 0) return undefined
  const [startLine = '', ...lines] = latin1(bytes.subarray(start, headEnd)).split('\r\n')
  const headers = lines.map(toField)
  const bodyStart = headEnd + 4
  const { body, complete, end } = framing.bodiless?.(startLine)
    ? { body: new Uint8Array(), complete: true, end: bodyStart }
    : readBody(buffer, bodyStart, headers, framing)
  return { startLine, headers, body, complete, end, raw: bytes.subarray(start, end) }
}

function toField(line: string): [string, string] {
  const colon = line.indexOf(':')
  return colon < 0 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1).trim()]
}

type Body = Pick<RawMessage, 'body' | 'complete' | 'end'>

function readBody(buffer: Buffer, start: number, headers: RawMessage['headers'], framing: Framing): Body {
  if (valuesOf(headers, 'transfer-encoding').some((value) => /chunked\s*$/i.test(value))) {
    return readChunked(buffer, start)
  }
  const [length] = valuesOf(headers, 'content-length')
  const declared = length === undefined ? undefined : Number(length)
  if (declared === undefined && !framing.untilClose) return { body: new Uint8Array(), complete: true, end: start }
  const end = declared === undefined ? buffer.length : Math.min(buffer.length, start + declared)
  const complete = declared === undefined ? framing.closed === true : end === start + declared
  return { body: buffer.subarray(start, end), complete, end }
}

function readChunked(buffer: Buffer, start: number): Body {
  const chunks: Uint8Array[] = []
  let at = start
  for (;;) {
    const lineEnd = buffer.indexOf('\r\n', at, 'latin1')
    const size = lineEnd < 0 ? Number.NaN : Number.parseInt(buffer.toString('latin1', at, lineEnd), 16)
    if (Number.isNaN(size)) return { body: Buffer.concat(chunks), complete: false, end: buffer.length }
    if (size === 0) {
      // Trailers end with an empty line; without any, that line is the one after the last chunk's size.
      const trailersEnd = buffer.indexOf('\r\n\r\n', lineEnd, 'latin1')
      const end = trailersEnd < 0 ? buffer.length : trailersEnd + 4
      return { body: Buffer.concat(chunks), complete: trailersEnd >= 0, end }
    }
    const chunkEnd = lineEnd + 2 + size
    chunks.push(buffer.subarray(lineEnd + 2, Math.min(chunkEnd, buffer.length)))
    if (chunkEnd + 2 > buffer.length) return { body: Buffer.concat(chunks), complete: false, end: buffer.length }
    at = chunkEnd + 2
  }
}
