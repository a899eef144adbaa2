import type { Http1Call } from './call.ts'
import type { UpstreamConnection } from './connection.ts'
import type { BodyLength } from './request-head.ts'

const LAST_CHUNK = Buffer.from('0\r\n\r\n')

/**
 * Sends a body as it comes, no faster than the upstream takes it; the call fails when the body breaks off, or is not as
 * long as was said. Returns how to stop it.
 */
export function upload(
  body: ReadableStream<Uint8Array>,
  length: BodyLength,
  connection: UpstreamConnection,
  call: Http1Call,
): (reason: unknown) => void {
  const reader = body.getReader()
  let isDone = false

  async function run(): Promise<void> {
    let left = typeof length === 'number' ? length : Number.POSITIVE_INFINITY
    for (;;) {
      const { done, value } = await reader.read()
      if (call.isOver) return
      if (done) break
      if (value.byteLength === 0) continue
      left -= value.byteLength
      if (left < 0) throw new TypeError('The body is longer than its Content-Length')
      if (!connection.send(length === 'chunked' ? inChunk(value) : value)) await connection.drained()
    }
    if (typeof length === 'number' && left > 0) throw new TypeError('The body is shorter than its Content-Length')
    if (length === 'chunked') connection.send(LAST_CHUNK)
    isDone = true
    connection.uploaded()
  }

  run().catch((error: unknown) => call.giveUp(error))
  return (reason) => {
    if (isDone) return
    isDone = true
    reader.cancel(reason).catch(() => {})
  }
}

function inChunk(data: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${data.byteLength.toString(16)}\r\n`), data, CRLF])
}

const CRLF = Buffer.from('\r\n')
