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
  readonly index?: number
  /** What one call for many items asks for. */
  readonly keys?: readonly (string | number)[]
  /** `{ id }`, inside `enqueue` only. */
  readonly command?: unknown
  /** `{ complete, missing }`, inside the whole answer of an `aggregate` only. */
  readonly composition?: unknown
  /** `{ key }` of the write that is compensated, in its `compensate` only. */
  readonly write?: unknown
}

/** A scope with some values added, e.g. the parts of an aggregate; the rest stays lazy. */
export function extendScope(scope: Scope, added: Partial<Pick<Scope, LocalRoot>>): Scope {
  return Object.assign(Object.create(scope), added)
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
