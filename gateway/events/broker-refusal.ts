import type { Declaration } from '../core/topology.ts'

/** What a broker answered to a declaration it refused, e.g. 406 for one that differs from what is there. */
export interface Refusal {
  readonly code: number
  readonly text: string
}

/** Reads a refusal out of an error of the client library; undefined when it is something else, such as a lost connection. */
export function readRefusal(error: unknown): Refusal | undefined {
  const [, text = '', code] = /^channel \d+ closed: (.*) \((\d{3})\)$/s.exec(String((error as Error).message)) ?? []
  return code === undefined ? undefined : { code: Number(code), text }
}

/** Says what was refused, what the file and the broker say of it, and how to mend that. */
export function describeRefusal(declaration: Declaration, { code, text }: Refusal): string {
  const what = nameOf(declaration)
  if (code === 403) return `${what}: this user of the broker may not declare it; ${PERMIT[declaration.kind]}`
  if (code === 405) return `${what}: another connection has it for itself (exclusive); end that, or choose another name`
  if (code === 404 && declaration.kind === 'exchange')
    return `${what} is not on the broker; whoever it belongs to declares it, or topology.exchanges does`
  const difference = code === 406 ? readDifference(declaration, text) : undefined
  if (!difference) return `${what}: the broker refuses it with ${code} (${text})`
  const { argument, here, there } = difference
  return `${what}: ${argument} is to be ${here}, and is ${there} on the broker; ${mend(declaration, difference)}`
}

function nameOf(declaration: Declaration): string {
  if (declaration.kind !== 'binding') return `${declaration.kind} "${declaration.name}"`
  const { queue, exchange, pattern } = declaration
  return `binding of queue "${queue}" to exchange "${exchange}" for "${pattern}"`
}

const PERMIT: Readonly<Record<Declaration['kind'], string>> = {
  exchange: 'grant it "configure" there, or declare the exchange by other means',
  queue: 'grant it "configure" there, or leave the queue out of topology when others declare it',
  binding: 'grant it "write" on the queue and "read" on the exchange, or leave the queue out of topology',
}

interface Difference {
  readonly argument: string
  readonly here: string
  readonly there: string
}

/**
 * RabbitMQ: inequivalent arg 'x-delivery-limit' for queue 'a' in vhost '/': received '5' but current is '10'
 * It cuts its answers at 255 bytes, so that with long names the end is missing.
 */
function readDifference(declaration: Declaration, text: string): Difference | undefined {
  const [, argument] = /inequivalent arg '([^']*)' for /.exec(text) ?? []
  if (argument === undefined) return undefined
  const [, current] = / but current is (none|.*'.*'.*)$/s.exec(text) ?? []
  const there = current === undefined ? 'something else' : worded(current)
  return { argument, here: wanted(declaration, argument), there }
}

/** What every declaration says without saying it. */
const IMPLIED: Readonly<Record<string, unknown>> = {
  type: 'topic',
  durable: true,
  auto_delete: false,
  exclusive: false,
  internal: false,
}

function wanted(declaration: Declaration, argument: string): string {
  const given = declaration.kind === 'queue' ? declaration.arguments[argument] : undefined
  const value = given ?? IMPLIED[argument]
  if (value === undefined) return 'not set'
  return typeof value === 'string' ? `"${value}"` : String(value)
}

/** `'5'`, `the value '5' of type 'signedint'` or `none`. */
function worded(text: string): string {
  const untyped = text.replace(/ of type '\w+'$/, '')
  const [, value = untyped] = /^(?:the value )?'(.*)'$/s.exec(untyped) ?? []
  if (value === 'none') return 'not set'
  return /^\d+$|^(?:true|false)$/.test(value) ? value : `"${value}"`
}

function mend(declaration: Declaration, { argument, there }: Difference): string {
  const anew = `delete the ${declaration.kind} on the broker, and it is declared anew by itself`
  if (declaration.kind === 'exchange') return `use another exchange, or ${anew}`
  const site = declaration.kind === 'queue' ? declaration.site : 'topology'
  const isWritten = argument === 'x-delivery-limit' && /^\d+$/.test(there)
  const change = isWritten ? `write delivery-limit: ${there} in ${site}` : `use another name in ${site}`
  return `${change}, or once the queue is empty ${anew}`
}
