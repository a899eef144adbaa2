import { bodyTooLarge } from '../core/body.ts'
import { GatewayError } from '../core/errors.ts'
import { isPlainPath, normalizePath } from '../routing/request-path.ts'
import { isHost } from './host.ts'
import type { RequestFields } from './request-fields.ts'

/** What the gateway accepts of a request before it looks for a route. Sizes in bytes. */
export interface RequestLimits {
  readonly headers: number
  readonly headerCount: number
  readonly url: number
}

/** The one spelling of path and query that is routed, logged and forwarded. */
export interface Target {
  readonly path: string
  readonly search: string
}

/**
 * Fields that a client may not declare hop-by-hop: naming one in `Connection` would make a gateway drop what the
 * upstream relies on (RFC 9110 §7.6.1, CVE-2024-45410).
 */
const PROTECTED: ReadonlySet<string> = new Set([
  'host',
  'authorization',
  'cookie',
  'content-length',
  'content-type',
  'content-encoding',
  'transfer-encoding',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-real-ip',
  'traceparent',
  'tracestate',
  'idempotency-key',
  'x-request-id',
  'via',
  'accept',
  'origin',
  'range',
])
const REFUSED_METHODS: ReadonlySet<string> = new Set(['TRACE', 'CONNECT', 'TRACK'])
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** Refuses what two parsers might read differently, the same way on every runtime. Throws `GatewayError`. */
export function checkRequest({ method, url }: Request, fields: RequestFields, limits: RequestLimits): Target {
  if (REFUSED_METHODS.has(method))
    throw new GatewayError('not-implemented', { detail: `The method ${method} is not served` })
  if (!TOKEN.test(method)) throw invalid('The method is not a token')
  checkHost(fields.host)
  checkSection(fields, limits)
  checkConnection(fields.connection)
  checkFraming(fields)
  const { expect } = fields
  if (expect !== undefined && expect.toLowerCase() !== '100-continue') throw new GatewayError('expectation-failed')
  return targetOf(url, limits.url)
}

function invalid(detail: string): GatewayError {
  return new GatewayError('invalid-request', { detail })
}

/** RFC 9112 §3.2. Two Host fields arrive joined by a comma, which no host holds. */
function checkHost(host: string | undefined): void {
  if (host === undefined || host === '') throw invalid('The Host field is missing')
  if (!isHost(host)) throw invalid('The Host field is not valid')
}

function checkSection({ size, count }: RequestFields, limits: RequestLimits): void {
  if (size <= limits.headers && count <= limits.headerCount) return
  throw new GatewayError('headers-too-large', {
    detail: `At most ${limits.headerCount} fields and ${limits.headers} bytes are accepted`,
  })
}

function checkConnection(connection: string | undefined): void {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return
  for (const name of connection.split(',')) {
    const option = name.trim().toLowerCase()
    if (option !== '' && !TOKEN.test(option)) throw invalid('The Connection field is not a list of names')
    if (PROTECTED.has(option)) throw invalid(`The Connection field must not name ${option}`)
  }
}

/** The runtime has parsed the framing; what is checked here are values that some runtimes let through. */
function checkFraming({ transferEncoding: coding, contentLength: length }: RequestFields): void {
  if (coding !== undefined && coding.toLowerCase() !== 'chunked')
    throw misframed('The Transfer-Encoding field must be chunked')
  if (length === undefined) return
  if (!/^(?:0|[1-9]\d{0,14})$/.test(length)) throw misframed('The Content-Length field is not a number')
  if (coding !== undefined) throw misframed('Content-Length and Transfer-Encoding exclude each other')
}

/** Nobody can say where this request ends, so nothing after it on its connection may be read as another (RFC 9112 §6.3). */
function misframed(detail: string): GatewayError {
  return new GatewayError('invalid-request', { detail, headers: { connection: 'close' } })
}

/** Refuses a body that says it is too large before a byte of it is read; one that does not say is counted on its way. */
export function checkDeclaredBody({ contentLength: length }: RequestFields, limit: number): void {
  if (length !== undefined && Number(length) > limit) throw bodyTooLarge(limit)
}

function targetOf(url: string, limit: number): Target {
  if (url.length > limit) throw new GatewayError('uri-too-long', { detail: `At most ${limit} bytes are accepted` })
  if (url.includes('#')) throw invalid('The request target holds a fragment')
  const authority = url.indexOf('//') + 2
  const slash = url.indexOf('/', authority)
  const query = url.indexOf('?', authority)
  const pathEnd = query < 0 ? url.length : query
  const path = normal(slash < 0 || slash > pathEnd ? '/' : url.slice(slash, pathEnd))
  return { path, search: query < 0 ? '' : url.slice(query) }
}

function normal(raw: string): string {
  if (isPlainPath(raw)) return raw
  const normalized = normalizePath(raw)
  if ('refusal' in normalized) throw invalid(normalized.refusal)
  return normalized.path
}
