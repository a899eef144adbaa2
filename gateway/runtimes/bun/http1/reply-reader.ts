import { ChunkedBody } from './chunked-body.ts'
import { MalformedReply } from './malformed-reply.ts'
import { piece } from './piece.ts'
import { type ReplyHead, readHead } from './reply-head.ts'

/** Who is told of a reply as it comes. */
export interface ReplySink {
  head(head: ReplyHead): void
  body(data: Uint8Array): void
  /** The reply is whole. */
  end(): void
}

const MAX_HEAD_BYTES = 65_536
/** Replies of status 1xx that may come before the one that counts (RFC 9110 §15.2). */
const MAX_INFORMATIONAL = 16
const HEAD_END = Buffer.from('\r\n\r\n')

/** Reads replies out of what a connection brings, in whatever pieces: one for each `expect`. */
export class ReplyReader {
  readonly #sink: ReplySink
  #method = ''
  /** Of an unfinished head. */
  #pending: Buffer | undefined
  #informational = 0
  #state: 'head' | 'length' | 'chunked' | 'until-close' | 'over' = 'head'
  #left = 0
  #chunks: ChunkedBody | undefined

  constructor(sink: ReplySink) {
    this.#sink = sink
  }

  /** The next reply answers a request with this method. */
  expect(method: string): void {
    this.#method = method
    this.#pending = undefined
    this.#informational = 0
    this.#state = 'head'
    this.#left = 0
    this.#chunks = undefined
  }

  /** Whether a byte of the reply has come. */
  get hasBegun(): boolean {
    return this.#state !== 'head' || this.#pending !== undefined || this.#informational > 0
  }

  /** Takes what came. Returns true when there was more than the reply. Throws `MalformedReply`. */
  push(bytes: Buffer): boolean {
    let at = 0
    while (at < bytes.length) {
      switch (this.#state) {
        case 'head':
          at = this.#takeHead(bytes, at)
          break
        case 'length': {
          const end = Math.min(bytes.length, at + this.#left)
          this.#left -= end - at
          this.#sink.body(piece(bytes, at, end))
          at = end
          if (this.#left === 0) this.#finish()
          break
        }
        case 'chunked': {
          this.#chunks ??= new ChunkedBody()
          const end = this.#chunks.read(bytes, at, this.#sink)
          if (end < 0) return false
          at = end
          this.#finish()
          break
        }
        case 'until-close':
          this.#sink.body(piece(bytes, at, bytes.length))
          return false
        case 'over':
          return true
      }
    }
    return false
  }

  /** The upstream ended the connection in order. Returns false when the reply is not whole. */
  close(): boolean {
    if (this.#state === 'until-close') this.#finish()
    return this.#state === 'over'
  }

  #takeHead(bytes: Buffer, at: number): number {
    const pendingBytes = this.#pending?.length ?? 0
    const whole = this.#pending ? Buffer.concat([this.#pending, bytes.subarray(at)]) : bytes
    const start = this.#pending ? 0 : at
    const end = whole.indexOf(HEAD_END, Math.max(start, pendingBytes - HEAD_END.length + 1))
    if (end < 0 ? whole.length - start > MAX_HEAD_BYTES : end - start > MAX_HEAD_BYTES) {
      throw new MalformedReply(`a head of more than ${MAX_HEAD_BYTES} bytes`)
    }
    if (end < 0) {
      refuseHopeless(whole, start, Math.max(start, pendingBytes))
      this.#pending = Buffer.from(whole.subarray(start))
      return bytes.length
    }
    const past = end + HEAD_END.length
    const head = readHead(whole.toString('latin1', start, past), this.#method)
    this.#pending = undefined
    this.#begin(head)
    return past - pendingBytes
  }

  #begin(head: ReplyHead): void {
    if (head.status === 101) throw new MalformedReply('status 101')
    if (head.status >= 100 && head.status < 200) {
      if (++this.#informational > MAX_INFORMATIONAL) throw new MalformedReply('informational replies without end')
      return
    }
    if (head.status < 200 || head.status > 599) throw new MalformedReply(`status ${head.status}`)
    this.#sink.head(head)
    const { framing } = head
    if (framing === 0) {
      this.#finish()
      return
    }
    this.#state = typeof framing === 'number' ? 'length' : framing
    if (typeof framing === 'number') this.#left = framing
  }

  #finish(): void {
    this.#state = 'over'
    this.#sink.end()
  }
}

const STATUS_LINE_BEGIN = 'HTTP/1.'
const LF = 10
const CR = 13

/** What can never become a head is known before its end: nobody waits for more of it. */
function refuseHopeless(bytes: Buffer, start: number, newFrom: number): void {
  const begin = bytes.toString('latin1', start, start + STATUS_LINE_BEGIN.length)
  if (!STATUS_LINE_BEGIN.startsWith(begin)) throw new MalformedReply('no status line')
  for (let at = bytes.indexOf(LF, newFrom); at >= 0; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at - 1] !== CR) throw new MalformedReply('a line that ends in LF alone')
  }
}
