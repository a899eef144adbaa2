import type { CallBody } from '../../../core/body.ts'

/** How a body is sent: there is none, it is so long, or in chunks. */
export type BodyLength = 'none' | number | 'chunked'

/** Decided for each connection, by the body. */
const OWN_FIELDS: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'keep-alive',
])

/** Methods whose requests say that they have no body (RFC 9110 §8.6). */
const EXPECT_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])

/** The request line and the fields, one byte a character, up to the empty line (RFC 9112 §§3, 5). */
export function writeHead(method: string, target: string, host: string, headers: Headers, length: BodyLength): string {
  let fields = ''
  headers.forEach((value, name) => {
    if (!OWN_FIELDS.has(name)) fields += `${name}: ${value}\r\n`
  })
  if (length === 'chunked') fields += 'transfer-encoding: chunked\r\n'
  else if (length !== 'none') fields += `content-length: ${length}\r\n`
  else if (EXPECT_BODY.has(method)) fields += 'content-length: 0\r\n'
  return `${method} ${target} HTTP/1.1\r\nhost: ${headers.get('host') ?? host}\r\nconnection: keep-alive\r\n${fields}\r\n`
}

const LENGTH = /^[0-9]{1,15}$/

/** A stream is as long as the client said it is, and goes in chunks when it said nothing. */
export function bodyLength(body: CallBody, headers: Headers): BodyLength {
  if (body === null) return 'none'
  if (body instanceof Uint8Array) return body.byteLength
  const declared = headers.get('content-length')
  return declared !== null && LENGTH.test(declared) ? Number(declared) : 'chunked'
}

/** What a URL may hold as it is; for anything else the parser of URLs decides how it is written. */
const PLAIN_TARGET = /^\/[!$&'()*+,\-./0-9:;=?@A-Z_a-z~%[\]|]*$/

/** The request target (RFC 9112 §3.2.1) of a URL that begins with `origin`. */
export function targetOf(url: string, origin: string): string {
  const target = url.slice(origin.length)
  if (PLAIN_TARGET.test(target)) return target
  const { pathname, search } = new URL(url)
  return pathname + search
}
