import { GatewayError } from './errors.ts'
import { parseReference, type Reference, ReferenceMistake } from './reference.ts'
import type { Scope } from './scope.ts'

type Piece = string | Reference

/**
 * Text with `{references}` in it, parsed at load. Rendering encodes every value for the place it lands in, so that a
 * value can never change the structure around it.
 */
export class Template {
  readonly source: string
  readonly pieces: readonly Piece[]
  readonly references: readonly Reference[]

  constructor(source: string) {
    this.source = source
    this.pieces = parsePieces(source)
    this.references = this.pieces.filter((piece) => typeof piece !== 'string')
  }

  /** The value itself, with its JSON type, when the template is one reference and nothing else; else the rendered text. */
  value(scope: Scope): unknown {
    const [only] = this.pieces
    if (this.pieces.length === 1 && only !== undefined && typeof only !== 'string') return only.read(scope)
    return this.text(scope)
  }

  /** Plain text; missing values are empty. Only for places without structure, such as an event's subject. */
  text(scope: Scope): string {
    let text = ''
    for (const piece of this.pieces) text += typeof piece === 'string' ? piece : toText(piece.read(scope))
    return text
  }

  /** A header value (RFC 9110 §5.5). Throws `invalid-request` when a value holds characters no header may have. */
  header(scope: Scope): string {
    const text = this.text(scope)
    if (!HEADER_VALUE.test(text)) {
      throw new GatewayError('invalid-request', { detail: `A value for "${this.source}" cannot stand in a header` })
    }
    return text.trim()
  }

  /**
   * A path with an optional query. In the path each value is one segment or a part of one, and must be there; only
   * `{params.*}` may span several. In the query a missing value is empty. Throws `invalid-request`.
   */
  path(scope: Scope): string {
    let rendered = ''
    let inQuery = false
    for (const piece of this.pieces) {
      if (typeof piece === 'string') {
        rendered += piece
        inQuery ||= piece.includes('?')
      } else {
        rendered += inQuery ? encoded(piece, scope) : pathText(piece, scope)
      }
    }
    refuseDotSegments(rendered, this.source)
    return rendered
  }
}

/**
 * The value itself. Throws `invalid-request` for a whole number of more digits than JavaScript keeps: rounded, it would
 * name something else. `source` is the reference that read it.
 */
export function exact(value: unknown, source: string): unknown {
  if (typeof value !== 'number' || !Number.isInteger(value) || Number.isSafeInteger(value)) return value
  throw new GatewayError('invalid-request', { detail: `A value for "${source}" has more digits than can be kept` })
}

const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
const REFERENCE = /\{([^{}]*)\}/g

/** Parses text with references; braces that are no reference are refused rather than passed on. */
export function parseTemplate(source: string): Template {
  return new Template(source)
}

function parsePieces(source: string): Piece[] {
  const pieces: Piece[] = []
  let end = 0
  for (const match of source.matchAll(REFERENCE)) {
    pushText(pieces, source.slice(end, match.index), source)
    pieces.push(parseReference((match[1] ?? '').trim()))
    end = match.index + match[0].length
  }
  pushText(pieces, source.slice(end), source)
  return pieces
}

function pushText(pieces: Piece[], text: string, source: string): void {
  if (/[{}]/.test(text)) {
    const isDoubled = /\{\{[^{}]*\}\}/.test(source)
    throw new ReferenceMistake(
      isDoubled
        ? `"${source}" has doubled braces: a reference has one pair, as in "{params.id}"`
        : `"${source}" has a brace without its partner`,
    )
  }
  if (text !== '') pieces.push(text)
}

function toText(value: unknown): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

function pathText(reference: Reference, scope: Scope): string {
  const isRest = reference.root === 'params' && reference.path[0] === '*'
  if (isRest) return toText(reference.read(scope)).split('/').map(encodeSegment).join('/')
  const text = encoded(reference, scope)
  if (text !== '') return text
  throw new GatewayError('invalid-request', { detail: `A value for "${reference.source}" is needed and missing` })
}

/** Commas between keys stay commas; one within a key is encoded. */
function encoded({ root, source, read }: Reference, scope: Scope): string {
  const value = read(scope)
  if (root === 'keys' && Array.isArray(value)) return value.map((key) => encodeSegment(String(key))).join(',')
  return encodeSegment(toText(exact(value, source)))
}

function encodeSegment(text: string): string {
  return encodeURIComponent(wellFormed(text))
}

/** Lone surrogates make `encodeURIComponent` throw. */
function wellFormed(text: string): string {
  return text.toWellFormed()
}

/** `.` and `..` cannot be encoded away: URL parsers read `%2e` as a dot (WHATWG URL). */
function refuseDotSegments(rendered: string, source: string): void {
  if (!rendered.includes('.')) return
  const [path = ''] = rendered.split('?', 1)
  if (path.split('/').some((segment) => segment === '.' || segment === '..')) {
    throw new GatewayError('invalid-request', { detail: `A value for "${source}" is a dot segment` })
  }
}
