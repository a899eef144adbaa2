import { type Document, isAlias, isMap, isSeq, LineCounter, type Pair, visit, type YAMLMap } from 'yaml'
import { type Environment, resolveReferences } from './environment.ts'
import { maskResolved } from './masking.ts'
import { formatPath, type Mistake, type Path } from './mistake.ts'
import { keyText, parseYaml, pathOf, startOf, type TextMistake } from './parse-yaml.ts'

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
/** Most values that aliases may stand for, all in all. */
const MAX_ALIASES = 100

/**
 * Parses a file safely (see `parseYaml`), at most 4 MiB of it. Environment references are resolved in values (never in
 * keys) after parsing, so that positions stay those of the file and a value stays one value whatever it holds.
 */
export function parseConfigDocument(text: string, file: string, environment: Environment): ConfigDocument {
  const lines = new LineCounter()
  const at = ({ offset, path, message }: TextMistake): Mistake => {
    const { line, col } = lines.linePos(offset)
    return { file, line: Math.max(1, line), column: Math.max(1, col), path: formatPath(path), message }
  }
  const refused = tooLong(text) ?? binary(text, lines)
  if (refused) return broken([at(refused)])

  const { document, mistakes } = parseYaml(text.replace(/^\uFEFF/, ''), lines)
  if (!document && mistakes.length > 0) return broken(mistakes.map(at))
  if (!document || document.contents === null) {
    return broken([
      at({ offset: 0, path: [], message: 'the file is empty: it needs at least "version: 1" and "routes"' }),
    ])
  }
  const resolved = new Map<string, string>()
  const all = [...mistakes, ...resolveScalars(document, environment, resolved)].map(at)
  let data: unknown
  try {
    data = document.toJS({ maxAliasCount: MAX_ALIASES })
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error
    return broken([...all, at({ offset: 0, path: [], message: 'its aliases ("*name") stand for too many values' })])
  }
  const pairs = pairsByKey()
  return {
    data,
    mistakes: all,
    mistake: (path, message, atKey) =>
      at({ offset: offsetOf(document, path, atKey ?? false, pairs), path, message: maskResolved(message, resolved) }),
  }
}

function broken(mistakes: readonly Mistake[]): ConfigDocument {
  const [first] = mistakes
  return { data: undefined, mistakes, mistake: (_path, message) => ({ ...(first as Mistake), message }) }
}

function tooLong({ length }: string): TextMistake | undefined {
  if (length <= MAX_LENGTH) return undefined
  return { offset: 0, path: [], message: `the file is longer than ${MAX_LENGTH} characters` }
}

function binary(text: string, lines: LineCounter): TextMistake | undefined {
  const offset = text.indexOf('\0')
  if (offset < 0) return undefined
  for (let start = 0; start <= offset; ) {
    lines.addNewLine(start)
    const end = text.indexOf('\n', start)
    start = end < 0 ? offset + 1 : end + 1
  }
  return { offset, path: [], message: 'a NUL character: the file is no text file' }
}

/** Puts values in the place of references, and notes in `values` what stood there. */
function resolveScalars(
  document: Document.Parsed,
  environment: Environment,
  values: Map<string, string>,
): TextMistake[] {
  const mistakes: TextMistake[] = []
  visit(document, {
    Scalar(key, node, ancestors) {
      if (key === 'key' || typeof node.value !== 'string') return
      const written = node.value
      const resolved = resolveReferences(written, environment)
      if (!('mistake' in resolved)) {
        if (resolved.changed) values.set(resolved.value, written)
        if (resolved.changed) node.value = node.type === 'PLAIN' ? retype(resolved.value) : resolved.value
        return
      }
      mistakes.push({ offset: startOf(node) ?? 0, path: pathOf(ancestors, node), message: resolved.mistake })
    },
  })
  return mistakes
}

/** An unquoted reference stands for what would have stood there: `port: ${PORT}` is a number. */
function retype(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true'
  return /^-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?$/.test(text) ? Number(text) : text
}

type PairOf = (map: YAMLMap, key: string) => Pair | undefined

/** Finds pairs by their key, in an index made once for every map: big files have thousands of routes. */
function pairsByKey(): PairOf {
  const indexes = new WeakMap<YAMLMap, ReadonlyMap<string, Pair>>()
  return (map, key) => {
    const index = indexes.get(map) ?? new Map(map.items.map((pair) => [keyText(pair), pair]))
    indexes.set(map, index)
    return index.get(key)
  }
}

function offsetOf(document: Document.Parsed, path: Path, atKey: boolean, pairOf: PairOf): number {
  let node: unknown = document.contents
  let offset = startOf(node)
  for (const [i, step] of path.entries()) {
    const next = child(document, node, step, pairOf)
    if (!next) break
    const isLast = i === path.length - 1
    offset = isLast && atKey ? next.keyOffset : (startOf(next.value) ?? next.keyOffset)
    node = next.value
  }
  return offset ?? 0
}

function child(document: Document.Parsed, node: unknown, step: string | number, pairOf: PairOf) {
  const parent = isAlias(node) ? node.resolve(document) : node
  if (isMap(parent)) {
    const pair = pairOf(parent, String(step))
    return pair && { value: pair.value, keyOffset: startOf(pair.key) ?? 0 }
  }
  const item = isSeq(parent) && typeof step === 'number' ? parent.items[step] : undefined
  return item === undefined ? undefined : { value: item, keyOffset: startOf(item) ?? 0 }
}
