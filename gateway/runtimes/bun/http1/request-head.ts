import type { CallBody } from '../../../core/body.ts'
import { OF_THE_TRANSPORT } from '../../../upstream/fields.ts'

/** How a body is sent: there is none, it is so long, or in chunks. */
export type BodyLength = 'none' | number | 'chunked'

/** Methods whose requests say that they have no body (RFC 9110 §8.6). */
const EXPECT_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])

export interface RequestHead {
  readonly method: string
  /** Path and query, as they go out. */
  readonly target: string
  /** For requests whose fields name no other host. */
  readonly hostLines: string
  /** May be given as lines, none of which is for the transport to write. */
  readonly fields: Headers | string
  readonly length: BodyLength
}

/** The request line and the fields, one byte a character, up to the empty line (RFC 9112 §§3, 5). */
export function writeHead({ method, target, hostLines, fields: given, length }: RequestHead): string {
  let fields = ''
  let named = hostLines
  if (typeof given === 'string') fields = given
  else {
    given.forEach((value, name) => {
      if (!OF_THE_TRANSPORT.has(name)) fields += `${name}: ${value}\r\n`
    })
    const host = given.get('host')
    if (host !== null) named = linesOfHost(host)
  }
  if (length === 'chunked') fields += 'transfer-encoding: chunked\r\n'
  else if (length !== 'none') fields += `content-length: ${length}\r\n`
  else if (EXPECT_BODY.has(method)) fields += 'content-length: 0\r\n'
  return `${method} ${target} HTTP/1.1\r\n${named}${fields}\r\n`
}

/** What the fields of a request begin with; put together once for all that go to one host. */
export function linesOfHost(host: string): string {
  return `host: ${host}\r\nconnection: keep-alive\r\n`
}

const LENGTH = /^[0-9]{1,15}$/

/** A stream is as long as the client said it is, and goes in chunks when it said nothing. */
export function bodyLength(request: { readonly body: CallBody; readonly headers: Headers }): BodyLength {
  const { body } = request
  if (body === null) return 'none'
  if (body instanceof Uint8Array) return body.byteLength
  const declared = request.headers.get('content-length')
  return declared !== null && LENGTH.test(declared) ? Number(declared) : 'chunked'
}

/** What a URL may hold as it is; for anything else the parser of URLs decides how it is written. */
const PLAIN_TARGET = /^\/[!$&'()*+,\-./0-9:;=?@A-Z_a-z~%[\]|]*$/

/** How the path and query of a URL stand in a request line (RFC 9112 §3.2.1). */
export function writeTarget(origin: string, target: string): string {
  if (PLAIN_TARGET.test(target)) return target
  const { pathname, search } = new URL(origin + target)
  return pathname + search
}
