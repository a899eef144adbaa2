import { type Document, isMap, isNode, isScalar, LineCounter, type Node, type Pair, parseDocument, visit } from 'yaml'
import { type Environment, resolveReferences } from './environment.ts'
import { formatPath, type Mistake, type Path } from './mistake.ts'

/** A YAML text as plain data that still knows where everything stood. */
export interface ConfigDocument {
  /** Plain objects, arrays and scalars; undefined when the text is no YAML document. */
  readonly data: unknown
  readonly mistakes: readonly Mistake[]
  /** A mistake at the value a path leads to; at the key when `atKey`; at the nearest existing parent otherwise. */
  mistake(path: Path, message: string, atKey?: boolean): Mistake
}

/** Largest file accepted, in characters. */
const MAX_LENGTH = 4_194_304
const FORBIDDEN_KEYS: ReadonlySet<unknown> = new Set(['__proto__', 'constructor', 'prototype', '<<'])

/**
 * Parses YAML 1.2 safely: one document, no custom tags, no merge keys, no duplicate keys, few aliases. Environment
 * references are resolved in values (never in keys), so that positions stay those of the file.
 */
export function parseConfigDocument(text: string, file: string, environment: Environment): ConfigDocument {
  const lines = new LineCounter()
  const at = (offset: number, path: Path, message: string): Mistake => {
    const { line, col } = lines.linePos(offset)
    return { file, line: Math.max(1, line), column: Math.max(1, col), path: formatPath(path), message }
  }
  if (text.length > MAX_LENGTH) return broken(at(0, [], `the file is longer than ${MAX_LENGTH} characters`))
  if (text.includes('\0')) return broken(at(0, [], 'the file holds NUL characters: it is no text file'))

  const document = parseDocument(text.replace(/^\uFEFF/, ''), {
    version: '1.2',
    schema: 'core',
    uniqueKeys: true,
    merge: false,
    lineCounter: lines,
    prettyErrors: false,
  })
  const mistakes = [...document.errors, ...document.warnings].map(({ pos, message }) => at(pos[0], [], tidy(message)))
  if (mistakes.length > 0) return broken(...mistakes)
  if (document.contents === null)
    return broken(at(0, [], 'the file is empty: it needs at least "version: 1" and "routes"'))

  mistakes.push(...refuseForbidden(document, at), ...resolveScalars(document, environment, at))
  const data = toData(document, mistakes, at)
  return {
    data,
    mistakes,
    mistake: (path, message, atKey) => at(offsetOf(document, path, atKey ?? false), path, message),
  }
}

function broken(...mistakes: Mistake[]): ConfigDocument {
  const [first] = mistakes
  return { data: undefined, mistakes, mistake: (_path, message) => ({ ...(first as Mistake), message }) }
}

function tidy(message: string): string {
  const [line = message] = message.split('\n')
  if (line.startsWith('Unresolved tag')) return `custom tags are not accepted: ${line}`
  if (line.includes('multiple documents')) return 'the file holds several documents: keep one'
  return `not valid YAML: ${line}`
}

type At = (offset: number, path: Path, message: string) => Mistake

function refuseForbidden(document: Document.Parsed, at: At): Mistake[] {
  const mistakes: Mistake[] = []
  visit(document, {
    Pair(_key, pair) {
      const { key } = pair as Pair<Node, Node>
      if (!isScalar(key)) {
        mistakes.push(at(key.range?.[0] ?? 0, [], 'keys must be plain names'))
      } else if (FORBIDDEN_KEYS.has(key.value)) {
        mistakes.push(at(key.range?.[0] ?? 0, [], `the key "${String(key.value)}" is not accepted`))
      }
    },
    Node(_key, node) {
      if (node.tag !== undefined && !node.tag.startsWith('tag:yaml.org,2002:')) {
        mistakes.push(at(node.range?.[0] ?? 0, [], `custom tags are not accepted: ${node.tag}`))
      }
    },
  })
  return mistakes
}

function resolveScalars(document: Document.Parsed, environment: Environment, at: At): Mistake[] {
  const mistakes: Mistake[] = []
  visit(document, {
    Scalar(key, node) {
      if (key === 'key' || typeof node.value !== 'string') return
      const resolved = resolveReferences(node.value, environment)
      if ('mistake' in resolved) mistakes.push(at(node.range?.[0] ?? 0, [], resolved.mistake))
      else if (resolved.changed) node.value = node.type === 'PLAIN' ? retype(resolved.value) : resolved.value
    },
  })
  return mistakes
}

/** An unquoted reference stands for what would have stood there: `port: ${PORT}` is a number. */
function retype(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true'
  return /^-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?$/.test(text) ? Number(text) : text
}

function toData(document: Document.Parsed, mistakes: Mistake[], at: At): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    mistakes.push(at(0, [], `not accepted: ${error instanceof Error ? error.message : String(error)}`))
    return undefined
  }
}

function offsetOf(document: Document.Parsed, path: Path, atKey: boolean): number {
  let node: unknown = document.contents
  let offset = startOf(node)
  for (const [i, step] of path.entries()) {
    const next = child(document, node, step)
    if (!next) break
    const isLast = i === path.length - 1
    offset = isLast && atKey ? next.keyOffset : (startOf(next.value) ?? next.keyOffset)
    node = next.value
  }
  return offset ?? 0
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined
}

function child(
  document: Document.Parsed,
  node: unknown,
  step: string | number,
): { value: unknown; keyOffset: number } | undefined {
  const parent =
    isNode(node) && 'source' in node && !isScalar(node)
      ? (node as { resolve(d: Document): unknown }).resolve(document)
      : node
  if (isMap(parent)) {
    const pair = parent.items.find(({ key }) => isScalar(key) && String(key.value) === String(step))
    return pair && { value: pair.value, keyOffset: startOf(pair.key) ?? 0 }
  }
  const items = (parent as { items?: unknown[] } | undefined)?.items
  const item = typeof step === 'number' ? items?.[step] : undefined
  return item === undefined ? undefined : { value: item, keyOffset: startOf(item) ?? 0 }
}
