import type { Reference } from './reference.ts'
import type { Scope } from './scope.ts'
import { exact, parseTemplate, Template } from './template.ts'

/** JSON in which every text is a template. */
export type JsonTemplate =
  | Template
  | number
  | boolean
  | null
  | readonly JsonTemplate[]
  | { readonly [key: string]: JsonTemplate }

/** JSON in which every text is the source of a template. */
export type JsonSource =
  | string
  | number
  | boolean
  | null
  | readonly JsonSource[]
  | { readonly [key: string]: JsonSource }

/**
 * Compiles to a function that gives the value for a request. A reference without a value leaves its key out of a
 * mapping, is null in a list, and alone is undefined. Throws `invalid-request` for a number that cannot be kept.
 */
export function compileJson(written: JsonTemplate): (scope: Scope) => unknown {
  if (written instanceof Template) return (scope) => exact(written.value(scope), written.source)
  if (typeof written !== 'object' || written === null) return () => written
  if (Array.isArray(written)) {
    const items = written.map(compileJson)
    return (scope) => items.map((item) => item(scope))
  }
  const members = Object.entries(written).map(([key, value]) => [key, compileJson(value)] as const)
  return (scope) => Object.fromEntries(members.map(([key, value]) => [key, value(scope)]))
}

/** Every reference in it. */
export function referencesIn(written: JsonTemplate): readonly Reference[] {
  if (written instanceof Template) return written.references
  if (typeof written !== 'object' || written === null) return []
  return Object.values(written).flatMap(referencesIn)
}

/** As it was written, for JSON to keep. */
export function toJsonSource(written: JsonTemplate): JsonSource {
  if (written instanceof Template) return written.source
  if (typeof written !== 'object' || written === null) return written
  if (Array.isArray(written)) return written.map(toJsonSource)
  return Object.fromEntries(Object.entries(written).map(([key, value]) => [key, toJsonSource(value)]))
}

/** The templates of what was kept. */
export function parseJsonSource(source: JsonSource): JsonTemplate {
  if (typeof source === 'string') return parseTemplate(source)
  if (typeof source !== 'object' || source === null) return source
  if (Array.isArray(source)) return source.map(parseJsonSource)
  return Object.fromEntries(Object.entries(source).map(([key, value]) => [key, parseJsonSource(value)]))
}
