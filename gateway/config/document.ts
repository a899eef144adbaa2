import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Pair, visit, type YAMLMap } from 'yaml'
import { type Environment, resolveReferences } from './environment.ts'
import { formatPath, type Mistake, type Path } from './mistake.ts'
import { parseYaml, pathOf, startOf, type TextMistake } from './parse-yaml.ts'

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
  if (mistakes.length > 0 && !document) return broken(mistakes.map(at))
  if (!document || document.contents === null) {
    return broken([at({ offset: 0, path: [], message: 'the file is empty: it needs at least "version: 1" and "routes"' })])
  }
  const unresolved = resolveScalars(document, environment)
  // Aliases that lead nowhere or to themselves make no data.
  const { data, failure } = mistakes.length > 0 ? withoutAliases(document) : toData(document)
  return {
    data,
    mistakes: [...mistakes, ...unresolved, ...failure].map(at),
    mistake: (path, message, atKey) => at({ offset: offsetOf(document, path, atKey ?? false), path, message }),
  }
}

