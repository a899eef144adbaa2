import type { LocalRoot } from './reference.ts'

/** The values templates and references read. Everything is looked up lazily: what nobody asks for is never parsed. */
export interface Scope {
  readonly params: Readonly<Record<string, string>>
  /** First value of a query parameter, decoded. */
  query(name: string): string | undefined
  header(name: string): string | undefined
  cookie(name: string): string | undefined
  readonly claims: unknown
  readonly clientIp: string | undefined
  readonly clientId: string | undefined
  readonly route: string
  /** JSON request body; read beforehand by the pipeline when a policy refers to it. */
  readonly body: unknown
  /** `{ status, headers, body }` of the upstream's response, inside `publish` only. */
  readonly response?: unknown
  /** `{ <name>: { status, headers, body } }`, inside `aggregate` only. */
  readonly parts?: unknown
  /** What a part of an aggregate is asked for, one after the other, and its place in the list. */
  readonly item?: unknown
  readonly index?: number | undefined
  /** What one call for many items asks for. */
  readonly keys?: readonly (string | number)[] | undefined
  /** `{ id }`, inside `enqueue` only. */
  readonly command?: unknown
  /** `{ complete, missing }`, inside the whole answer of an `aggregate` only. */
  readonly composition?: unknown
  /** `{ key }` of the write that is compensated, in its `compensate` only. */
  readonly write?: unknown
}

/** A scope with some values added, e.g. the parts of an aggregate; the rest stays lazy. */
export function extendScope(scope: Scope, added: Partial<Pick<Scope, LocalRoot>>): Scope {
  return new ExtendedScope(scope, added)
}

/** A class, because an object that inherits from another one of each request would be slow to make and to read. */
class ExtendedScope implements Scope {
  readonly base: Scope
  readonly response: unknown
  readonly parts: unknown
  readonly item: unknown
  readonly index: number | undefined
  readonly keys: Scope['keys']
  readonly command: unknown
  readonly composition: unknown
  readonly write: unknown

  constructor(base: Scope, added: Partial<Pick<Scope, LocalRoot>>) {
    const { response, parts, item, index, keys, command, composition, write } = added
    this.base = base
    this.response = response ?? base.response
    this.parts = parts ?? base.parts
    this.item = 'item' in added ? item : base.item
    this.index = index ?? base.index
    this.keys = keys ?? base.keys
    this.command = command ?? base.command
    this.composition = composition ?? base.composition
    this.write = write ?? base.write
  }

  get params() {
    return this.base.params
  }

  query(name: string) {
    return this.base.query(name)
  }

  header(name: string) {
    return this.base.header(name)
  }

  cookie(name: string) {
    return this.base.cookie(name)
  }

  get claims() {
    return this.base.claims
  }

  get clientIp() {
    return this.base.clientIp
  }

  get clientId() {
    return this.base.clientId
  }

  get route() {
    return this.base.route
  }

  get body() {
    return this.base.body
  }
}

/** The value of one cookie (RFC 6265 §4.2), quotes removed; undefined when it is not there. */
export function readCookie(header: string | null, name: string): string | undefined {
  if (!header) return undefined
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=')
    if (equals < 0 || pair.slice(0, equals).trim() !== name) continue
    const value = pair.slice(equals + 1).trim()
    return value.startsWith('"') && value.endsWith('"') && value.length > 1 ? value.slice(1, -1) : value
  }
  return undefined
}
