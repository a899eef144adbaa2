import type { Exchange } from '../core/exchange.ts'
import { createKey } from '../core/keys.ts'
import type { FieldList } from '../core/services.ts'
import {
  addGatewayFields,
  appendTo,
  FORWARDING,
  forwardedElement,
  OF_THE_TRANSPORT,
  OWN,
  PSEUDONYM,
  TOKEN,
} from './fields.ts'

const alreadySaid = createKey<Said>('fields the gateway sends')

/** What the gateway says in the calls of one exchange, as long as no policy decides anew or changes what it is about. */
class Said {
  readonly about: Exchange
  readonly version: number
  #headers: Headers | undefined
  #names: ReadonlySet<string> | undefined
  #lines: string | undefined
  /** The last lines that were added to them, which are mostly those of the next call, too, and what came of it. */
  #added = ''
  #both: string | undefined

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

  /** The lines with others behind them. */
  with(others: string): string {
    if (this.#both === undefined || this.#added !== others) {
      this.#added = others
      this.#both = this.lines + others
    }
    return this.#both
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
  if (constant !== undefined) return said.with(constant)
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
