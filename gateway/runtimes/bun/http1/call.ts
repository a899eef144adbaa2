import { ReadReply } from '../../../core/read-reply.ts'
import type { Receiver } from '../../../core/receiver.ts'
import type { StopListener } from '../../../core/stop.ts'
import type { OutgoingRequest } from '../../../upstream/transport.ts'
import type { ReplyHead } from './reply-head.ts'
import type { ReplySink } from './reply-reader.ts'

/** What of a reply may wait for its reader before the upstream is made to wait. */
const MAX_WAITING_BYTES = 65_536

/** What a piece takes up beside its bytes: an upstream that sends byte by byte is made to wait all the sooner. */
const PIECE_BYTES = 256

/** Methods that ask for nothing to be done, so that asking again does no harm (RFC 9110 §9.2.1). */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** The connection a call is on. */
export interface Line {
  pause(): void
  resume(): void
  /** Closes it at once; nothing more of the call is sent or read. */
  drop(): void
}

/** One request on its way: it becomes a reply as soon as the head is there, or fails. */
export class Http1Call implements ReplySink, StopListener {
  readonly request: OutgoingRequest
  readonly target: string
  readonly #receiver: Receiver
  #line: Line | undefined
  #head: ReplyHead | undefined
  /** What has come of a body that is not streamed yet: the one piece it mostly is, or several. */
  #first: Uint8Array | undefined
  #others: Uint8Array[] | undefined
  #stream: ReadableStreamDefaultController<Uint8Array> | undefined
  #isAnswered = false
  #isOver = false
  #isWhole = false
  /** Ends the upload, which may wait for the client. */
  #stopUpload: ((reason: unknown) => void) | undefined
  #isRepeated = false
  #wasSent = false

  constructor(request: OutgoingRequest, target: string, receiver: Receiver) {
    this.request = request
    this.target = target
    this.#receiver = receiver
    request.stop.listen(this)
  }

  /** Nothing more is expected of it: the reply is whole, or the call has failed or was given up. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Whoever sent it has the reply, though perhaps not its whole body. */
  get isAnswered(): boolean {
    return this.#isAnswered
  }

  stopped(reason: unknown): void {
    this.giveUp(reason)
  }

  /** It has gone out once: the upstream may have acted on it. */
  get wasSent(): boolean {
    return this.#wasSent
  }

  /** It goes out on this connection. */
  putOn(line: Line, stopUpload?: (reason: unknown) => void): void {
    this.#wasSent = true
    this.#line = line
    this.#stopUpload = stopUpload
  }

  head(head: ReplyHead): void {
    this.#head = head
  }

  body(data: Uint8Array): void {
    const stream = this.#stream
    if (!stream) {
      this.#keep(data)
      return
    }
    stream.enqueue(data)
    if ((stream.desiredSize ?? 0) <= 0) this.#line?.pause()
  }

  #keep(data: Uint8Array): void {
    if (this.#first === undefined) this.#first = data
    else {
      this.#others ??= []
      this.#others.push(data)
    }
  }

  end(): void {
    if (this.#isOver) return
    this.#isWhole = true
    this.#finish()
    this.#stream?.close()
  }

  /**
   * Answers with what has come; call it when everything that came at once is read. A reply that is whole by then, as most
   * are, needs no stream.
   */
  answer(): void {
    const head = this.#head
    if (this.#isAnswered || !head || (this.#isOver && !this.#isWhole)) return
    this.#isAnswered = true
    const content = head.framing === 0 ? null : this.#isWhole ? this.#joined() : this.#openStream()
    this.#receiver.replied(new ReadReply(head, content))
  }

  /** There is no reply, or no more of it. */
  fail(error: unknown): void {
    if (this.#isOver) return
    this.#finish()
    if (!this.#isAnswered) this.#receiver.failed(error)
    else this.#stream?.error(error)
  }

  /** Takes the one chance to be sent again: a kept connection may have been closed just when the request went out. */
  mayRepeat(): boolean {
    const { method, body } = this.request
    if (this.#isOver || this.#isRepeated || body !== null || !SAFE.has(method)) return false
    this.#isRepeated = true
    return true
  }

  /** Nobody wants the reply any more. */
  giveUp(reason: unknown): void {
    const line = this.#line
    this.fail(reason)
    line?.drop()
  }

  #finish(): void {
    this.#isOver = true
    this.#line = undefined
    this.request.stop.unlisten(this)
    this.#stopUpload?.(ENDED)
  }

  #joined(): Uint8Array<ArrayBuffer> {
    const [first, others] = [this.#first ?? EMPTY, this.#others]
    return (others ? Buffer.concat([first, ...others]) : first) as Uint8Array<ArrayBuffer>
  }

  #openStream(): ReadableStream<Uint8Array> {
    const waiting = this.#first ? [this.#first, ...(this.#others ?? [])] : []
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#stream = controller
          for (const data of waiting) this.body(data)
        },
        pull: () => this.#line?.resume(),
        cancel: (reason) => this.giveUp(reason),
      },
      { highWaterMark: MAX_WAITING_BYTES, size: (data) => (data?.byteLength ?? 0) + PIECE_BYTES },
    )
  }
}

const ENDED = new Error('The upstream has answered')

const EMPTY = new Uint8Array()
