import type { JsonTemplate } from '../../../gateway/core/json-template.ts'
import type { Reference } from '../../../gateway/core/reference.ts'
import type { Scope } from '../../../gateway/core/scope.ts'
import { exact, Template } from '../../../gateway/core/template.ts'
import { joinElements, joinPairs } from '../reply/slices.ts'
import type { Views } from './views.ts'

type Json = Uint8Array<ArrayBuffer>

/** Writes one value of the answer; undefined for one that is not there. */
export type Writer = (scope: Scope, views: Views) => Json | undefined

/**
 * Compiles the template of a whole answer. A reference to a reply stands for the text its upstream wrote, so that numbers
 * keep all their digits. A value that is not there leaves its key out; in a list it is null.
 */
export function compileBody(written: JsonTemplate): Writer {
  if (written instanceof Template) return compileText(written)
  if (written === null || typeof written !== 'object') return always(encode(written))
  if (Array.isArray(written)) {
    const items = written.map(compileBody)
    return (scope, views) => joinElements(items.map((item) => item(scope, views) ?? NULL))
  }
  const members = Object.entries(written).map(([key, value]) => [encode(key), compileBody(value)] as const)
  return (scope, views) =>
    joinPairs(
      members.flatMap(([key, write]) => {
        const value = write(scope, views)
        return value ? [[key, value] as const] : []
      }),
    )
}

function compileText(template: Template): Writer {
  const [only, more] = template.pieces
  if (template.references.length === 0) return always(encode(template.source))
  if (only !== undefined && more === undefined && typeof only !== 'string') return compileReference(only)
  const pieces = template.pieces.map((piece) => (typeof piece === 'string' ? () => piece : compilePlainText(piece)))
  return (scope, views) => encode(pieces.map((piece) => piece(scope, views)).join(''))
}

function compileReference(reference: Reference): Writer {
  const { root, path, source, read } = reference
  const [part = '', field] = path
  if (root === 'parts' && field === 'body') return (_, views) => views.textAt(part, path.slice(2))
  return (scope) => {
    const value = exact(read(scope), source)
    return value === undefined ? undefined : encode(value)
  }
}

/** What a value is amid other text: a text without its quotes, anything else as JSON, nothing for null. */
function compilePlainText(reference: Reference): (scope: Scope, views: Views) => string {
  const write = compileReference(reference)
  return (scope, views) => {
    const json = write(scope, views)
    const text = json ? new TextDecoder().decode(json) : ''
    if (text.startsWith('"')) return JSON.parse(text) as string
    return text === 'null' ? '' : text
  }
}

function always(json: Json): Writer {
  return () => json
}

function encode(value: unknown): Json {
  return new TextEncoder().encode(JSON.stringify(value))
}

const NULL = encode(null)
