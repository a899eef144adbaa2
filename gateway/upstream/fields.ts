import type { Client, Exchange } from '../core/exchange.ts'
import { createKey } from '../core/keys.ts'
import type { FieldList } from '../core/services.ts'

/** Fields of one connection (RFC 9110 §7.6.1); they never cross the gateway. */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'proxy-authenticate',
  'proxy-authorization',
])

/** Fields by which proxies tell who the client is; a client's own words are dropped and said anew. */
const FORWARDING: ReadonlySet<string> = new Set([
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-forwarded-server',
  'x-forwarded-ssl',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'true-client-ip',
  'cf-connecting-ip',
  'x-original-url',
  'x-rewrite-url',
  'x-envoy-external-address',
  'client-ip',
  'fastly-client-ip',
  'x-original-host',
  'x-original-forwarded-for',
  'x-host',
])

/** Fields of a request that the transport writes, for each connection and body; what others say there is left out. */
export const OF_THE_TRANSPORT: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'keep-alive',
])

/** Fields the gateway decides itself. */
const OWN: ReadonlySet<string> = new Set(['host', 'via', 'x-request-id', 'traceparent', 'tracestate', 'expect'])

const PSEUDONYM = '1.1 sluice'
const NONE: ReadonlySet<string> = new Set()

/** Copies a client's fields that may go on to an upstream. Runs for every proxied request. */
export function createRequestFilter(reserved: readonly string[]): (incoming: Headers) => Headers {
  const dropped = new Set([...HOP_BY_HOP, ...FORWARDING, ...OWN, ...reserved])
  // CGI-style servers read `x_user_id` and `x-user-id` as one, so each name stands for all its spellings.
  const spellings = new Set([...FORWARDING, ...OWN, ...reserved].map(dashed))
  const hasUnderscores = reserved.some((name) => name.includes('_'))
  return (incoming) => {
    const named = namedBy(incoming.get('connection'))
    const outgoing = new Headers()
    incoming.forEach((value, name) => {
      if (dropped.has(name) || named.has(name) || name.startsWith('x-forwarded')) return
      if ((hasUnderscores || name.includes('_')) && isSpelling(dashed(name), spellings)) return
      outgoing.append(name, value)
    })
    return outgoing
  }
}

function dashed(name: string): string {
  return name.replaceAll('_', '-')
}

function isSpelling(name: string, spellings: ReadonlySet<string>): boolean {
  return spellings.has(name) || name.startsWith('x-forwarded')
}

function namedBy(connection: string | null): ReadonlySet<string> {
  if (connection === null || connection === 'keep-alive' || connection === 'close') return NONE
  return new Set(
    connection
      .toLowerCase()
      .split(',')
      .map((name) => name.trim()),
  )
}

/** Sets what the gateway says about itself, the client and the trace, then what policies have decided. */
export function addGatewayFields(headers: Headers, exchange: Exchange): void {
  const { client, trace, request } = exchange
  const incoming = client.trusted ? request.headers : undefined
  headers.set('via', appendTo(request.headers.get('via'), PSEUDONYM))
  headers.set('x-request-id', exchange.id)
  // A runtime would put its own name and version there (Bun's fetch does).
  if (!headers.has('user-agent')) headers.set('user-agent', 'sluice')
  headers.set('traceparent', trace.traceparent)
  if (trace.tracestate !== undefined) headers.set('tracestate', trace.tracestate)
  const peer = client.peer ?? client.ip
  if (peer !== undefined) headers.set('x-forwarded-for', appendTo(incoming?.get('x-forwarded-for'), peer))
  headers.set('x-forwarded-proto', client.protocol)
  if (client.host !== '') headers.set('x-forwarded-host', client.host)
  headers.set('forwarded', appendTo(incoming?.get('forwarded'), forwardedElement(client, peer)))
  exchange.outgoing.applyTo(headers)
}

const alreadySaid = createKey<Said>('fields the gateway sends')

/** What the gateway says in the calls of one exchange, as long as no policy decides anew or changes what it is about. */
class Said {
  readonly about: Exchange
  readonly version: number
  #headers: Headers | undefined
  #names: ReadonlySet<string> | undefined
  #lines: string | undefined

  constructor(about: Exchange) {
    this.about = about
    this.version = about.outgoing.version
  }

  /** Put together once and copied, which costs a fifth of saying it anew in each call. */
  get headers(): Headers {
    if (!this.#headers) {
      this.#headers = new Headers()
      addGatewayFields(this.#headers, this.about)
    }
    return this.#headers
  }

  get names(): ReadonlySet<string> {
    this.#names ??= new Set(this.headers.keys())
    return this.#names
  }

  /** Empty when one of them is for the transport to write. */
  get lines(): string {
    this.#lines ??= this.version === 0 ? gatewayLines(this.about) : linesOf(this.headers)
    return this.#lines
  }
}

function saidIn(exchange: Exchange): Said {
  const known = exchange.get(alreadySaid)
  if (known && known.version === exchange.outgoing.version && isAbout(known.about, exchange)) return known
  const said = new Said(exchange)
  exchange.set(alreadySaid, said)
  return said
}

/** One exchange may be derived of another, and share what is kept there; then all that is said of it must be the same. */
function isAbout(one: Exchange, other: Exchange): boolean {
  if (one === other) return true
  const { client, trace, request, id, outgoing } = one
  return (
    client === other.client &&
    trace === other.trace &&
    request === other.request &&
    id === other.id &&
    outgoing === other.outgoing
  )
}

/** The fields of one of several calls that an exchange makes by itself; one of its own never replaces the gateway's. */
export function fieldsOfOwnCall(own: FieldList, exchange: Exchange): Headers {
  const said = saidIn(exchange)
  const headers = new Headers(said.headers)
  for (const [name, value] of own) if (name === 'user-agent' || !said.names.has(name)) headers.set(name, value)
  exchange.outgoing.applyTo(headers)
  return headers
}

const PLAIN_VALUE = /^[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?$/

/** The same as lines; undefined where only `Headers` knows what becomes of a field. */
export function linesOfOwnCall(own: FieldList, exchange: Exchange): string | undefined {
  const said = saidIn(exchange)
  if (said.lines === '') return undefined
  const constant = said.version === 0 && Object.isFrozen(own) ? constantLines(own) : undefined
  if (constant !== undefined) return said.lines + constant
  let all = said.lines
  for (const [name, value] of own) {
    if (!isPlain(name, value)) return undefined
    if (!said.names.has(name) && !exchange.outgoing.decides(name)) all += lineOf(name, value)
  }
  return all
}

function isPlain(name: string, value: string): boolean {
  return name !== 'user-agent' && !OF_THE_TRANSPORT.has(name) && TOKEN.test(name) && PLAIN_VALUE.test(value)
}

/** What frozen lists come to as lines. */
const knownLines = new WeakMap<FieldList, string>()

/** The lines of a list that never changes, such as those of a part that reads nothing; undefined when it says what the gateway may say. */
function constantLines(own: FieldList): string | undefined {
  const known = knownLines.get(own)
  if (known !== undefined) return known
  if (!own.every(([name, value]) => isPlain(name, value) && !isGateways(name))) return undefined
  const lines = own.map(([name, value]) => lineOf(name, value)).join('')
  knownLines.set(own, lines)
  return lines
}

/** Whether the gateway says something by this name in some calls. */
function isGateways(name: string): boolean {
  return OWN.has(name) || FORWARDING.has(name)
}

/** `addGatewayFields` as lines, where no policy has decided anything. */
function gatewayLines(exchange: Exchange): string {
  const { client, trace, request } = exchange
  const incoming = client.trusted ? request.headers : undefined
  const peer = client.peer ?? client.ip
  return [
    lineOf('via', appendTo(request.headers.get('via'), PSEUDONYM)),
    lineOf('x-request-id', exchange.id),
    lineOf('user-agent', 'sluice'),
    lineOf('traceparent', trace.traceparent),
    trace.tracestate === undefined ? '' : lineOf('tracestate', trace.tracestate),
    peer === undefined ? '' : lineOf('x-forwarded-for', appendTo(incoming?.get('x-forwarded-for'), peer)),
    lineOf('x-forwarded-proto', client.protocol),
    client.host === '' ? '' : lineOf('x-forwarded-host', client.host),
    lineOf('forwarded', appendTo(incoming?.get('forwarded'), forwardedElement(client, peer))),
  ].join('')
}

function linesOf(headers: Headers): string {
  let lines = ''
  for (const [name, value] of headers) {
    if (OF_THE_TRANSPORT.has(name)) return ''
    lines += lineOf(name, value)
  }
  return lines
}

function lineOf(name: string, value: string): string {
  return `${name}: ${value}\r\n`
}

function appendTo(list: string | null | undefined, item: string): string {
  return list ? `${list}, ${item}` : item
}

const PLAIN_HOST = /^[\w.:[\]-]+$/

/** RFC 7239 §4: IPv6 addresses and hosts with a port are quoted. */
function forwardedElement({ protocol, host }: Client, peer: string | undefined): string {
  const node = peer === undefined ? 'unknown' : peer.includes(':') ? `"[${peer}]"` : peer
  return `for=${node};proto=${protocol}${PLAIN_HOST.test(host) ? `;host="${host}"` : ''}`
}

/** Removes the fields of the upstream's connection from a reply (RFC 9110 §7.6.1). */
export function dropConnectionFields(headers: Headers): void {
  for (const name of namedInReply(headers.get('connection'))) headers.delete(name)
  for (const name of HOP_BY_HOP) headers.delete(name)
}

/** Names of the fields that a reply's `Connection` says are of the connection alone, in lower case. */
export function namedInReply(connection: string | null | undefined): ReadonlySet<string> {
  const named = namedBy(connection ?? null)
  if (named.size === 0) return NONE
  return new Set([...named].filter((name) => TOKEN.test(name) && !KEPT_IN_REPLIES.has(name)))
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]+$/

/** A reply that calls these hop-by-hop would be unreadable without them. */
const KEPT_IN_REPLIES: ReadonlySet<string> = new Set([
  'content-length',
  'content-type',
  'content-encoding',
  'set-cookie',
])
