import {
  compileJson,
  type JsonSource,
  type JsonTemplate,
  parseJsonSource,
  referencesIn,
  toJsonSource,
} from './json-template.ts'
import type { Reference } from './reference.ts'
import type { Scope } from './scope.ts'
import { exact, parseTemplate, Template } from './template.ts'

/** A call whose every text may read values. */
export interface RequestTemplate {
  readonly method: string
  readonly path: Template
  readonly query: Readonly<Record<string, Template | number | boolean>>
  readonly headers: Readonly<Record<string, Template>>
  readonly body?: JsonTemplate | undefined
}

/** A request template as text, for JSON to keep. */
export interface RequestSource {
  readonly method: string
  readonly path: string
  readonly query: Readonly<Record<string, string | number | boolean>>
  readonly headers: Readonly<Record<string, string>>
  readonly body?: JsonSource
}

/** A call with its values in place. */
export interface RenderedRequest {
  readonly method: string
  /** Path and query, encoded. */
  readonly path: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** JSON text. */
  readonly body: string | undefined
}

/** Every reference in it, in the order of path, query, headers, body. */
export function referencesOfRequest({ path, query, headers, body }: RequestTemplate): Reference[] {
  const texts = [path, ...Object.values(query), ...Object.values(headers)]
  return [
    ...texts.flatMap((text) => (text instanceof Template ? text.references : [])),
    ...(body === undefined ? [] : referencesIn(body)),
  ]
}

/** Throws `invalid-request` when a value is missing where one must be, or cannot stand where it would. */
export function renderRequest({ method, path, query, headers, body }: RequestTemplate, scope: Scope): RenderedRequest {
  const fields = Object.entries(headers).map(([name, text]) => [name, text.header(scope)] as const)
  const encoded = Object.entries(query).map(([name, value]) => [encodeURIComponent(name), value] as const)
  return {
    method,
    path: withQuery(path.path(scope), encoded, scope),
    headers: fields.filter(([, value]) => value !== ''),
    body: body === undefined ? undefined : JSON.stringify(compileJson(body)(scope)),
  }
}

/** Adds parameters, whose names are encoded already, to a path. One without a value is left out, a list repeats it. */
export function withQuery(
  path: string,
  query: readonly (readonly [name: string, value: Template | number | boolean])[],
  scope: Scope,
): string {
  let added = ''
  for (const [name, written] of query) {
    const value = written instanceof Template ? written.value(scope) : written
    const source = written instanceof Template ? written.source : name
    if (!Array.isArray(value)) added += parameter(name, value, source)
    else for (const each of value) added += parameter(name, each, source)
  }
  if (added === '') return path
  return path.includes('?') ? path + added : `${path}?${added.slice(1)}`
}

function parameter(name: string, value: unknown, source: string): string {
  if (value === undefined || value === null) return ''
  const text = typeof value === 'object' ? JSON.stringify(value) : String(exact(value, source))
  return `&${name}=${encodeURIComponent(text.toWellFormed())}`
}

/** As it was written. */
export function toRequestSource({ method, path, query, headers, body }: RequestTemplate): RequestSource {
  const sources = Object.entries(query).map(([name, value]) => [name, value instanceof Template ? value.source : value])
  return {
    method,
    path: path.source,
    query: Object.fromEntries(sources),
    headers: Object.fromEntries(Object.entries(headers).map(([name, { source }]) => [name, source])),
    ...(body === undefined ? {} : { body: toJsonSource(body) }),
  }
}

/** The templates of what was kept. */
export function parseRequestSource({ method, path, query, headers, body }: RequestSource): RequestTemplate {
  const texts = Object.entries(query).map(([name, value]) => [
    name,
    typeof value === 'string' ? parseTemplate(value) : value,
  ])
  return {
    method,
    path: parseTemplate(path),
    query: Object.fromEntries(texts),
    headers: Object.fromEntries(Object.entries(headers).map(([name, source]) => [name, parseTemplate(source)])),
    ...(body === undefined ? {} : { body: parseJsonSource(body) }),
  }
}
