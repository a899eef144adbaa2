type Bytes = Uint8Array<ArrayBuffer>

/** Header fields to be read; `Headers` are such. */
export interface Fields extends Iterable<[name: string, value: string]> {
  /** The values of a field, joined by a comma and a space; null when it is not there. */
  get(name: string): string | null
  has(name: string): boolean
  getSetCookie(): string[]
}

/** Fields as they came, which become `Headers` where those are needed. */
export interface ReceivedFields extends Fields {
  toHeaders(): Headers
}

/** What a transport has read of the head of a reply. */
export interface ReceivedHead {
  readonly status: number
  readonly reason: string
  /** Without those of the connection. */
  readonly fields: ReceivedFields
}

/** The whole body as it was sent, its stream when more of it is to come, or null when there is none. */
type Content = Bytes | ReadableStream<Uint8Array> | null

/**
 * A reply that its transport has read and checked by itself, strictly: nothing of it is left to be cleaned. Where the
 * gateway reads it and passes it on to nobody, a `Response` would be work and garbage, so one is made only when asked for.
 */
export class ReadReply {
  readonly content: Content
  readonly #head: ReceivedHead

  constructor(head: ReceivedHead, content: Content) {
    this.#head = head
    this.content = content
  }

  get status(): number {
    return this.#head.status
  }

  get fields(): ReceivedFields {
    return this.#head.fields
  }

  /** The same for whoever passes it on or works with a `Response`; to be made once. */
  toResponse(): Response {
    const { content } = this
    const { status, reason, fields } = this.#head
    const response = new Response(content, { status, statusText: reason, headers: fields.toHeaders() })
    return content instanceof ReadableStream ? response : noteWhole(response, content)
  }
}

const wholeContent = Symbol('the body, of which nothing is still to come')

interface Noted extends Response {
  [wholeContent]?: Bytes | null
}

/**
 * Notes that all of a response's body is there, and the bytes it was just made of where somebody may want them: to find
 * that out later would open its stream. A copy of the response has no note.
 */
export function noteWhole(response: Response, bytes: Bytes | null = null): Response {
  const noted: Noted = response
  noted[wholeContent] = bytes
  return response
}

/** Whether nothing of the body is still to come; false when that is not known. */
export function isWhole(response: Response): boolean {
  return (response as Noted)[wholeContent] !== undefined
}

/** What answers a call: a transport of its own kind spares the `Response`. */
export type Reply = Response | ReadReply

/** As a `Response`; what was read of it is not lost to those who know of it. */
export function toResponse(reply: Reply): Response {
  return reply instanceof ReadReply ? reply.toResponse() : reply
}

/** The header fields, for reading. */
export function fieldsOf(reply: Reply): Fields {
  return reply instanceof ReadReply ? reply.fields : reply.headers
}

/** The body as it was sent, when it is there already; undefined when it must be waited for. Nobody may change the bytes. */
export function wholeBody(reply: Reply): Bytes | undefined {
  if (!(reply instanceof ReadReply)) return (reply as Noted)[wholeContent] ?? undefined
  return reply.content instanceof Uint8Array ? reply.content : undefined
}

/** The body as a stream; null when there is none. */
export function bodyOf(reply: Reply): ReadableStream<Uint8Array> | null {
  if (!(reply instanceof ReadReply)) return reply.body
  const { content } = reply
  return content instanceof Uint8Array ? new Blob([content]).stream() : content
}

/** Says that nobody will read the body: one that is still to come would keep its connection for ever. */
export function discard(reply: Reply): void {
  if (reply instanceof ReadReply && reply.content instanceof Uint8Array) return
  bodyOf(reply)
    ?.cancel()
    .catch(() => {})
}
