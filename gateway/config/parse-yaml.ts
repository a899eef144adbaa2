import {
  Composer,
  type Document,
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  Lexer,
  type LineCounter,
  type Node,
  Parser,
  Scalar,
  visit,
  type YAMLMap,
  type YAMLParseError,
  type YAMLWarning,
} from 'yaml'
import type { Path } from './mistake.ts'

/** A mistake at an offset of the text, before offsets are turned into lines. */
export interface TextMistake {
  readonly offset: number
  readonly path: Path
  readonly message: string
}

/** Deepest nesting, in levels of the parser; the schema needs about 20. The parser takes quadratic time in it. */
const MAX_DEPTH = 128
/** Syntax errors tend to be echoes of the first. */
const MAX_SYNTAX_MISTAKES = 20
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype', '<<'])
const CORE_TAGS: ReadonlySet<string> = new Set(
  ['map', 'seq', 'str', 'int', 'float', 'bool', 'null'].map((name) => `tag:yaml.org,2002:${name}`),
)

/**
 * Parses YAML 1.2 safely: one document, bounded depth, no tags beyond the core schema, no merge keys, no duplicate keys,
 * no alias that leads to itself. The document is undefined when the text is no YAML at all.
 */
export function parseYaml(text: string, lines: LineCounter) {
  let documents: Document.Parsed[]
  try {
    const composer = new Composer({
      version: '1.2',
      schema: 'core',
      uniqueKeys: false,
      merge: false,
      logLevel: 'error',
    })
    documents = Array.from(composer.compose(tokens(text, lines), true, text.length))
  } catch (error) {
    if (!(error instanceof TooDeep)) throw error
    const message = 'nested too deeply: a configuration needs far fewer levels'
    return { document: undefined, mistakes: [{ offset: error.offset, path: [], message }] }
  }
  const [document, second] = documents
  if (!document) return { document: undefined, mistakes: [] }
  const mistakes = [...document.errors, ...document.warnings].map((error) => toMistake(error, document))
  if (second) {
    mistakes.push({ offset: second.range[0], path: [], message: 'the file holds several documents: keep one' })
  }
  if (document.directives.yaml.explicit && document.directives.yaml.version !== '1.2') {
    mistakes.push({ offset: 0, path: [], message: 'this is read as YAML 1.2: remove the "%YAML" line' })
  }
  if (mistakes.length > 0) return { document: undefined, mistakes: firstOfEachLine(mistakes, lines) }
  return { document, mistakes: structureMistakes(document) }
}

class TooDeep extends Error {
  readonly offset: number

  constructor(offset: number) {
    super('Nested too deeply')
    this.offset = offset
  }
}

/** The parser's tokens; it keeps its own stack, while composing what it found recurses. */
function* tokens(text: string, lines: LineCounter) {
  const parser = new Parser(lines.addNewLine)
  lines.addNewLine(0)
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme)
    if (parser.stack.length > MAX_DEPTH) throw new TooDeep(parser.offset)
  }
  yield* parser.end()
}

const QUOTE = 'put a value that holds any of { } [ ] , # or ": " in quotes'

function toMistake({ code, message, pos }: YAMLParseError | YAMLWarning, document: Document.Parsed): TextMistake {
  const [first = ''] = message.split('\n')
  const offset = code === 'MISSING_CHAR' && first.includes('quote') ? openingQuote(document, pos[0]) : pos[0]
  return { offset, path: [], message: words(code, first) }
}

/** The library points to where the text ends; the reader looks for where the quote began. */
function openingQuote(document: Document.Parsed, end: number): number {
  let opening = end
  visit(document, {
    Scalar(_key, { type, range }) {
      if (type?.startsWith('QUOTE') && range && range[0] < end && range[1] >= end) opening = range[0]
    },
  })
  return opening
}

/** The library's words where they help, plainer ones where its words speak of its insides. */
function words(code: YAMLParseError['code'], message: string): string {
  switch (code) {
    case 'TAG_RESOLVE_FAILED':
      return `tags are not accepted: ${message.replace(/^Unresolved tag: /, '')}`
    case 'TAB_AS_INDENT':
      return 'not valid YAML: a tab in the indentation: use spaces'
    case 'UNEXPECTED_TOKEN':
      return `not valid YAML: something here does not belong: ${QUOTE} (${message})`
    case 'BLOCK_AS_IMPLICIT_KEY':
      return `not valid YAML: a second ":" in one line: ${QUOTE}, or put what follows on lines of its own`
    case 'MULTILINE_IMPLICIT_KEY':
      return 'not valid YAML: expected "key: value": a ":", a quote or a bracket is missing here'
    case 'BAD_INDENT':
      if (message.startsWith('Flow')) return 'not valid YAML: a bracket above is not closed before this line'
      return `not valid YAML: the indentation does not fit the lines above (${message})`
    case 'MISSING_CHAR':
      if (message.includes('quote')) return 'not valid YAML: this quote is never closed'
      if (message.startsWith('Implicit map keys')) return 'not valid YAML: expected "key: value", the ":" is missing'
      return `not valid YAML: ${message}${message.includes('flow') ? `: ${QUOTE}` : ''}`
    default:
      return `not valid YAML: ${message}`
  }
}

function firstOfEachLine(mistakes: readonly TextMistake[], lines: LineCounter): TextMistake[] {
  const seen = new Set<number>()
  return [...mistakes]
    .sort((a, b) => a.offset - b.offset)
    .filter(({ offset }) => {
      const { line } = lines.linePos(offset)
      return !seen.has(line) && seen.add(line)
    })
    .slice(0, MAX_SYNTAX_MISTAKES)
}

function structureMistakes(document: Document.Parsed): TextMistake[] {
  const mistakes: TextMistake[] = []
  const anchors = new Map<string, unknown>()
  visit(document, (_key, node, ancestors) => {
    const refuse = (at: unknown, message: string) =>
      mistakes.push({ offset: startOf(at) ?? startOf(node) ?? 0, path: pathOf(ancestors, node), message })
    if (isMap(node)) mistakes.push(...duplicateKeys(node, ancestors))
    if (isPair(node)) {
      const message = keyMistake(node.key)
      if (message !== undefined) refuse(node.key ?? node.value, message)
    } else if (isAlias(node)) {
      const target = anchors.get(node.source)
      if (target === undefined) refuse(node, `no "&${node.source}" stands before this "*${node.source}"`)
      else if (ancestors.some((ancestor) => ancestor === target)) refuse(node, `"*${node.source}" would hold itself`)
      else return undefined
      return emptyAt(node)
    } else if (isNode(node)) {
      if (node.tag !== undefined && !CORE_TAGS.has(node.tag)) refuse(node, `tags are not accepted: ${node.tag}`)
      if (node.anchor !== undefined) anchors.set(node.anchor, node)
    }
    return undefined
  })
  return mistakes
}

/** Stands in for an alias that leads nowhere, so that the rest of the file can still be checked. */
function emptyAt({ range }: Node): Scalar {
  const empty = new Scalar(null)
  empty.range = range ?? null
  return empty
}

function keyMistake(key: unknown): string | undefined {
  if (!isScalar(key)) return 'keys must be plain names'
  const name = typeof key.value === 'symbol' ? keyText({ key }) : key.value
  if (typeof name !== 'string') {
    // A number or a switch is as good as its text, unless reading it has changed that: 1.10 is 1.1.
    const source = key.source ?? ''
    return source !== '' && source === String(name) && name !== null
      ? undefined
      : `keys must be text: write "${source}" in quotes`
  }
  return FORBIDDEN_KEYS.has(name) ? `the key "${name}" is not accepted` : undefined
}

/** The library's own check compares every key with every other one. */
function duplicateKeys(map: YAMLMap, ancestors: readonly unknown[]): TextMistake[] {
  const seen = new Set<unknown>()
  return map.items.flatMap((pair) => {
    const name = isScalar(pair.key) ? keyText(pair) : pair.key
    if (!seen.has(name)) {
      seen.add(name)
      return []
    }
    const message = `the key "${String(name)}" stands twice: keep one`
    return [{ offset: startOf(pair.key) ?? 0, path: pathOf([...ancestors, map], pair), message }]
  })
}

/** Where a node starts in the text. */
export function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined
}

/** The path that leads through a node's ancestors to it. */
export function pathOf(ancestors: readonly unknown[], node: unknown): Path {
  const chain = [...ancestors, node]
  return chain.flatMap((step, i): (string | number)[] => {
    if (isPair(step)) return [keyText(step)]
    return isSeq(step) && i < chain.length - 1 ? [step.items.indexOf(chain[i + 1])] : []
  })
}

/** A key as text; an explicitly tagged merge key has a symbol for a value. */
export function keyText({ key }: { readonly key: unknown }): string {
  if (!isScalar(key)) return '?'
  return typeof key.value === 'symbol' ? '<<' : String(key.value)
}
