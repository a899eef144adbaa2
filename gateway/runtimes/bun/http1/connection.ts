import type { Http1Call, Line } from './call.ts'
import { ConnectionFailure } from './connection-failure.ts'
import { MalformedReply } from './malformed-reply.ts'
import type { ReplyHead } from './reply-head.ts'
import { ReplyReader, type ReplySink } from './reply-reader.ts'
import { bodyLength, writeHead } from './request-head.ts'
import { upload } from './upload.ts'

/** What a connection needs of its socket. */
export type Wire = Pick<
  Bun.Socket<UpstreamConnection>,
  'write' | 'pause' | 'resume' | 'end' | 'terminate' | 'setNoDelay'
>

/** What a connection needs of its pool. */
export interface Keeper {
  /** The first lines of requests that name no `Host`. */
  readonly hostLines: string
  /** It is connected, and free for its first call. */
  opened(connection: UpstreamConnection): void
  /** The connection is free for the next call. */
  keep(connection: UpstreamConnection, keptForMs: number | undefined): void
  /** It is closed. */
  forget(connection: UpstreamConnection): void
  /** Sends a call again, on a new connection. */
  repeat(call: Http1Call): void
}

/** Everything that is written is put together here first; a head and a small body leave in one piece. */
const SCRATCH = Buffer.alloc(65_536)

/** One connection to an upstream. It carries one call at a time: nothing is pipelined. */
export class UpstreamConnection implements Line, ReplySink {
  /** Milliseconds of the keeper's clock. */
  readonly bornAtMs: number
  /** Milliseconds of the keeper's clock, for the keeper: until when it is kept unused. */
  keptUntilMs = 0
  readonly #keeper: Keeper
  #socket: Wire | undefined
  #call: Http1Call | undefined
  readonly #reader = new ReplyReader(this)
  #head: ReplyHead | undefined
  #isUploaded = true
  /** Calls it has carried before this one. */
  #served = 0
  #unsent: Uint8Array | undefined
  #drained: (() => void) | undefined
  #isPaused = false
  #isClosed = false

  constructor(keeper: Keeper, bornAtMs: number) {
    this.#keeper = keeper
    this.bornAtMs = bornAtMs
  }

  /** The socket is connected. */
  opened(socket: Wire): void {
    this.#socket = socket
    socket.setNoDelay(true)
    this.#keeper.opened(this)
  }

  get wasOpened(): boolean {
    return this.#socket !== undefined
  }

  /** Sends a call. One that cannot be put together, because somebody reads its body already, fails with the connection. */
  carry(call: Http1Call): void {
    this.#call = call
    this.#head = undefined
    this.#reader.expect(call.request.method)
    try {
      this.#write(call)
    } catch (error) {
      this.giveUp(error)
    }
  }

  #write(call: Http1Call): void {
    const { method, body } = call.request
    const length = bodyLength(call.request)
    const fields = call.request.fieldLines ?? call.request.headers
    const head = writeHead({ method, target: call.target, hostLines: this.#keeper.hostLines, fields, length })
    if (body instanceof ReadableStream) {
      this.#isUploaded = false
      this.#sendHead(head, undefined)
      call.putOn(this, upload(body, length, this, call))
      return
    }
    call.putOn(this)
    this.#sendHead(head, body ?? undefined)
  }

  /** Writes the next piece of an upload; false when `drained` is to be waited for first. */
  send(bytes: Uint8Array): boolean {
    if (this.#isClosed) return true
    if (this.#unsent) {
      this.#unsent = Buffer.concat([this.#unsent, bytes])
      return false
    }
    const written = Math.max(this.#socket?.write(bytes) ?? 0, 0)
    if (written === bytes.length) return true
    this.#unsent = bytes.subarray(written)
    return false
  }

  /** Resolves when everything that was sent has left, or never will. */
  drained(): Promise<void> {
    if (!this.#unsent) return Promise.resolve()
    return new Promise((resolve) => {
      this.#drained = resolve
    })
  }

  /** The whole body has been handed over. */
  uploaded(): void {
    this.#isUploaded = true
  }

  head(head: ReplyHead): void {
    this.#head = head
    this.#call?.head(head)
  }

  body(data: Uint8Array): void {
    this.#call?.body(data)
  }

  end(): void {
    this.#call?.end()
  }

  /** Bytes have come. */
  data(bytes: Buffer): void {
    const call = this.#call
    // Nobody has asked for anything: the answer of the next call must not begin with it.
    if (!call) {
      this.drop()
      return
    }
    let isMore: boolean
    try {
      isMore = this.#reader.push(bytes)
    } catch (error) {
      call.giveUp(error)
      return
    }
    if (!call.isOver) {
      // What is only begun is answered a turn later: the rest is often there by then, or the news that it never comes.
      if (this.#head && !call.isAnswered) setImmediate(() => call.answer())
      return
    }
    // First, so that what is asked because of the answer finds it free.
    this.#release(isMore)
    call.answer()
  }

  /** The socket takes more. */
  drain(): void {
    const rest = this.#unsent
    this.#unsent = undefined
    if (rest && !this.send(rest)) return
    const drained = this.#drained
    this.#drained = undefined
    drained?.()
  }

  /** The upstream sends nothing more: a body that ends with the connection is whole. After a reset this is not called. */
  ended(): void {
    const call = this.#call
    if (call && this.#reader.close()) call.answer()
    this.closed()
  }

  /** The socket is closed by either side. */
  closed(error?: Error): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#keeper.forget(this)
    this.#unsent = undefined
    this.#drained?.()
    const call = this.#call
    this.#call = undefined
    if (!call || call.isOver) return
    if (this.#served > 0 && !this.#reader.hasBegun && call.mayRepeat()) this.#keeper.repeat(call)
    else if (this.#head) call.fail(new MalformedReply('the reply broke off'))
    else call.fail(ConnectionFailure.from(error, 'closed before a reply'))
  }

  /** Closes it in the middle of whatever it does: its call fails with the error. */
  giveUp(error: unknown): void {
    const call = this.#call
    this.drop()
    call?.fail(error)
  }

  pause(): void {
    if (this.#isPaused || this.#isClosed) return
    this.#isPaused = true
    this.#socket?.pause()
  }

  resume(): void {
    if (!this.#isPaused || this.#isClosed) return
    this.#isPaused = false
    this.#socket?.resume()
  }

  drop(): void {
    this.#call = undefined
    this.#socket?.terminate()
  }

  /** Closes it between two calls, in a way the upstream does not take for a fault. */
  close(): void {
    this.#socket?.end()
  }

  #release(isMore: boolean): void {
    const head = this.#head
    this.#call = undefined
    this.#served++
    this.resume()
    if (!this.#isUploaded || this.#unsent) this.drop()
    else if (isMore || !head?.isKept) this.close()
    else this.#keeper.keep(this, head.keptForMs)
  }

  #sendHead(head: string, body: Uint8Array | undefined): void {
    const bodyBytes = body?.byteLength ?? 0
    const length = head.length + bodyBytes
    if (length <= SCRATCH.length) {
      SCRATCH.write(head, 'latin1')
      if (body) SCRATCH.set(body, head.length)
      const written = Math.max(this.#socket?.write(SCRATCH, 0, length) ?? 0, 0)
      // A copy: the next call is put together in the same place.
      if (written < length && !this.#isClosed) this.#unsent = new Uint8Array(SCRATCH.subarray(written, length))
      return
    }
    this.send(Buffer.concat([Buffer.from(head, 'latin1'), body ?? Buffer.alloc(0)]))
  }
}
