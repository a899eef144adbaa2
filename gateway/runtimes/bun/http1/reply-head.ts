import { namedInReply } from '../../../upstream/fields.ts'
import { MalformedReply } from './malformed-reply.ts'
import { bare, isNamed, ReplyFields } from './reply-fields.ts'

/** How the end of a body is found (RFC 9112 §6.3): there is none, it is so long, it is in chunks, the connection closes. */
export type Framing = number | 'chunked' | 'until-close'

/** The head of a reply, read and checked. */
export interface ReplyHead {
  readonly status: number
  readonly reason: string
  /** Without the fields of the connection. */
  readonly fields: ReplyFields
  readonly framing: Framing
  /** Whether the upstream keeps the connection. */
  readonly isKept: boolean
  /** How long it says it keeps the connection when nothing is asked of it, in milliseconds. */
  readonly keptForMs: number | undefined
}

const MAX_FIELDS = 256

const STATUS_LINE = /^HTTP\/1\.[01] [0-9]{3}(?: [\t\x20-\x7e\x80-\xff]*)?\r\n/
const FIELD_LINES = /(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)*\r\n$/y
const CRLF = '\r\n'
const LENGTH = /[\t ]*[0-9]{1,15}[\t ]*\r/y

/** Statuses that never have a body (RFC 9112 §6.3), whatever their fields say. */
const hasNoBody = (status: number) => status < 200 || status === 204 || status === 304

/**
 * Reads a head, from the status line to the empty line, one byte a character. It is strict where leniency would let two
 * readers see two replies: no folded or unfinished lines, no bare CR or LF, no space before a colon, one length at most,
 * no length beside a transfer coding, no coding but `chunked`, and none in HTTP/1.0 (RFC 9112 §§4, 5, 6).
 */
export function readHead(text: string, method: string): ReplyHead {
  if (!STATUS_LINE.test(text)) throw new MalformedReply('no status line')
  const isHttp10 = text.startsWith('HTTP/1.0')
  const status = digitAt(text, 9) * 100 + digitAt(text, 10) * 10 + digitAt(text, 11)
  const firstEnd = text.indexOf(CRLF)
  let length: number | undefined
  let coding: string | undefined
  let connection: string | undefined
  let keepAlive: string | undefined
  let count = 0
  const start = firstEnd + CRLF.length
  let at = start
  const end = text.length - CRLF.length
  FIELD_LINES.lastIndex = at
  if (!FIELD_LINES.test(text)) throw new MalformedReply('a field line that is none')
  while (at < end) {
    if (++count > MAX_FIELDS) throw new MalformedReply(`more than ${MAX_FIELDS} fields`)
    const colon = text.indexOf(':', at)
    const lineEnd = text.indexOf(CRLF, colon)
    if (isNamed(text, at, 'content-length')) {
      if (length !== undefined) throw new MalformedReply('two lengths')
      length = readLength(text, colon + 1, lineEnd)
    } else if (isNamed(text, at, 'transfer-encoding')) coding = join(coding, bare(text, colon + 1, lineEnd))
    else if (isNamed(text, at, 'connection')) connection = join(connection, connectionAt(text, colon + 1, lineEnd))
    else if (isNamed(text, at, 'keep-alive')) keepAlive = bare(text, colon + 1, lineEnd)
    at = lineEnd + CRLF.length
  }
  const framing = frame({ length, coding, isHttp10, isBodiless: method === 'HEAD' || hasNoBody(status) })
  const named = namedInReply(connection)
  // A body that must not be there comes all the same, it seems: it would be read as the next reply.
  const isClean = status !== 204 || (coding === undefined && (length ?? 0) === 0)
  const isKept =
    isClean && framing !== 'until-close' && (isHttp10 ? names(connection, 'keep-alive') : !names(connection, 'close'))
  return {
    status,
    reason: text.startsWith(' OK\r', 12) ? 'OK' : text.slice(13, firstEnd),
    fields: new ReplyFields(text, start, status === 204 ? new Set([...named, 'content-length']) : named),
    framing,
    isKept,
    keptForMs: timeoutOf(keepAlive),
  }
}

/** A length as a number; read without a copy of its text. */
function readLength(text: string, from: number, to: number): number {
  LENGTH.lastIndex = from
  if (!LENGTH.test(text)) throw new MalformedReply('a length that is no number')
  let length = 0
  for (let at = from; at < to; at++) {
    const digit = digitAt(text, at)
    if (digit >= 0) length = length * 10 + digit
  }
  return length
}

const KEEP_ALIVE = ' keep-alive\r\n'

/** Options of the connection in lower case; of what nearly every reply says no copy is made. */
function connectionAt(text: string, from: number, to: number): string {
  return text.startsWith(KEEP_ALIVE, from) ? 'keep-alive' : bare(text, from, to).toLowerCase()
}

function digitAt(text: string, at: number): number {
  return text.charCodeAt(at) - 0x30
}

function join(list: string | undefined, value: string): string {
  return list === undefined ? value : `${list}, ${value}`
}

interface Framed {
  readonly length: number | undefined
  readonly coding: string | undefined
  readonly isHttp10: boolean
  readonly isBodiless: boolean
}

function frame({ length, coding, isHttp10, isBodiless }: Framed): Framing {
  if (coding !== undefined) {
    if (length !== undefined) throw new MalformedReply('both Content-Length and Transfer-Encoding')
    if (isHttp10) throw new MalformedReply('Transfer-Encoding in HTTP/1.0')
    if (coding.toLowerCase() !== 'chunked') throw new MalformedReply('unknown Transfer-Encoding')
  }
  if (isBodiless) return 0
  if (coding !== undefined) return 'chunked'
  return length ?? 'until-close'
}

function names(connection: string | undefined, option: string): boolean {
  // Nearly all say one of these or nothing.
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return connection === option
  return connection.split(',').some((name) => name.trim() === option)
}

/** `Keep-Alive: timeout=5` (RFC 2068 §19.7.1, sent by many servers). */
function timeoutOf(keepAlive: string | undefined): number | undefined {
  const seconds = keepAlive && /(?:^|[,\s])timeout=([0-9]{1,9})/i.exec(keepAlive)?.[1]
  return seconds ? Number(seconds) * 1_000 : undefined
}
