import type { ReceivedFields } from '../../../core/read-reply.ts'
import { HOP_BY_HOP } from '../../../upstream/fields.ts'

const CRLF = '\r\n'
const COLON = 0x3a
const SPACE = 0x20
const TAB = 0x09
/** How long the names of fields are that stay behind: to lower every name would cost more than all the rest. */
const HOP_LENGTHS: ReadonlySet<number> = new Set([...HOP_BY_HOP].map(({ length }) => length))

/**
 * The field lines of a head that was checked, as text: a field is looked up when somebody asks for it, since of most
 * replies one or two are asked for. Fields of the connection are not among them.
 */
export class ReplyFields implements ReceivedFields {
  readonly #text: string
  readonly #start: number
  readonly #end: number
  readonly #dropped: ReadonlySet<string>

  /** The lines from `start` up to the empty one that ends `text`, one byte a character; without `dropped` (lower case). */
  constructor(text: string, start: number, dropped: ReadonlySet<string>) {
    this.#text = text
    this.#start = start
    this.#end = text.length - CRLF.length
    this.#dropped = dropped
  }

  get(name: string): string | null {
    const wanted = name.toLowerCase()
    if (this.#isDropped(wanted)) return null
    let found: string | null = null
    for (let at = this.#start; at < this.#end; at = this.#next(at)) {
      if (isNamed(this.#text, at, wanted)) found = found === null ? this.#valueAt(at) : `${found}, ${this.#valueAt(at)}`
    }
    return found
  }

  has(name: string): boolean {
    return this.get(name) !== null
  }

  getSetCookie(): string[] {
    const cookies: string[] = []
    for (let at = this.#start; at < this.#end; at = this.#next(at)) {
      if (isNamed(this.#text, at, 'set-cookie')) cookies.push(this.#valueAt(at))
    }
    return cookies
  }

  [Symbol.iterator](): Iterator<[name: string, value: string]> {
    return this.toHeaders()[Symbol.iterator]()
  }

  toHeaders(): Headers {
    const headers = new Headers()
    for (let at = this.#start; at < this.#end; at = this.#next(at)) {
      const name = this.#text.slice(at, this.#text.indexOf(':', at))
      const mayStay = this.#dropped.size === 0 && !HOP_LENGTHS.has(name.length)
      if (mayStay || !this.#isDropped(name.toLowerCase())) headers.append(name, this.#valueAt(at))
    }
    return headers
  }

  #isDropped(name: string): boolean {
    return HOP_BY_HOP.has(name) || this.#dropped.has(name)
  }

  #next(at: number): number {
    return this.#text.indexOf(CRLF, at) + CRLF.length
  }

  #valueAt(at: number): string {
    return bare(this.#text, this.#text.indexOf(':', at) + 1, this.#text.indexOf(CRLF, at))
  }
}

/** Whether the field line there has this name, which is in lower case; without a copy of it. */
export function isNamed(text: string, at: number, name: string): boolean {
  if (text.charCodeAt(at + name.length) !== COLON) return false
  for (let i = 0; i < name.length; i++) {
    if (lowered(text.charCodeAt(at + i)) !== name.charCodeAt(i)) return false
  }
  return true
}

/**
 * What stands there without the blanks around it (RFC 9112 §5.1). `trim` takes U+00A0 away as well, which is no blank but
 * part of the value.
 */
export function bare(text: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB
}

function lowered(code: number): number {
  return code >= 0x41 && code <= 0x5a ? code + 0x20 : code
}
