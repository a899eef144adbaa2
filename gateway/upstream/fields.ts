import type { Client, Exchange } from '../core/exchange.ts'

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
export const FORWARDING: ReadonlySet<string> = new Set([
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
export const OWN: ReadonlySet<string> = new Set(['host', 'via', 'x-request-id', 'traceparent', 'tracestate', 'expect'])

/** As the gateway names itself in `Via` (RFC 9110 §7.6.3). */
export const PSEUDONYM = '1.1 sluice'
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

/** A list field with one more item. */
export function appendTo(list: string | null | undefined, item: string): string {
  return list ? `${list}, ${item}` : item
}

const PLAIN_HOST = /^[\w.:[\]-]+$/

/** RFC 7239 §4: IPv6 addresses and hosts with a port are quoted. */
export function forwardedElement({ protocol, host }: Client, peer: string | undefined): string {
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

/** A field name in lower case (RFC 9110 §5.6.2). */
export const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]+$/

/** A reply that calls these hop-by-hop would be unreadable without them. */
const KEPT_IN_REPLIES: ReadonlySet<string> = new Set([
  'content-length',
  'content-type',
  'content-encoding',
  'set-cookie',
])
