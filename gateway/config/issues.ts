import { z } from 'zod'
import { show } from './fields.ts'
import { didYouMean, type Path } from './mistake.ts'

/** A mistake in data, before it has a place in a file. */
export interface DataMistake {
  readonly path: Path
  readonly message: string
  /** True when the key is wrong, not its value. */
  readonly atKey?: boolean
}

/** Runs a schema and words every issue for the person who wrote the file. `prefix` leads from the document to `data`. */
export function check<Schema extends z.ZodType>(
  schema: Schema,
  data: unknown,
  prefix: Path,
): { readonly value: z.output<Schema> | undefined; readonly mistakes: readonly DataMistake[] } {
  const result = schema.safeParse(data, { error: word })
  if (result.success) return { value: result.data, mistakes: [] }
  return { value: undefined, mistakes: result.error.issues.flatMap((issue) => toMistakes(issue, prefix)) }
}

type RawIssue = Parameters<z.core.$ZodErrorMap>[0]

/** Words for issues whose schema brings none of its own. */
function word(issue: RawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined
        ? `is missing: expected ${article(issue.expected)}`
        : `expected ${article(issue.expected)}, found ${show(issue.input)}`
    case 'invalid_value':
      return `expected ${issue.values.map((value) => show(value)).join(' or ')}, found ${show(issue.input)}${typeof issue.input === 'string' ? didYouMean(issue.input, issue.values.map(String)) : ''}`
    case 'unrecognized_keys': {
      const known = keysOf(issue.inst)
      return issue.keys.map((key) => `unknown key "${key}"${didYouMean(key, known)}`).join('\n')
    }
    case 'too_small':
      return `expected ${sizeOf(issue.origin, 'at least', issue.minimum)}, found ${show(issue.input)}`
    case 'too_big':
      return `expected ${sizeOf(issue.origin, 'at most', issue.maximum)}, found ${show(issue.input)}`
    case 'not_multiple_of':
      return `expected a multiple of ${issue.divisor}, found ${show(issue.input)}`
    case 'invalid_union':
      return `no accepted form fits ${show(issue.input)}`
    default:
      return undefined
  }
}

function sizeOf(origin: string, bound: string, size: number | bigint): string {
  const units: Readonly<Record<string, string>> = {
    string: ' characters',
    array: ' entries',
    record: ' entries',
    object: ' keys',
  }
  return `${bound} ${size}${units[origin] ?? ''}`
}

function article(type: string): string {
  const words: Readonly<Record<string, string>> = {
    int: 'a whole number',
    object: 'a mapping',
    record: 'a mapping',
    array: 'a list',
    string: 'text',
    boolean: 'true or false',
  }
  return words[type] ?? `a ${type}`
}

function keysOf(schema: unknown): string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : []
}

function toMistakes(issue: z.core.$ZodIssue, prefix: Path): DataMistake[] {
  const path = [...prefix, ...issue.path.map((step) => (typeof step === 'number' ? step : String(step)))]
  if (issue.code === 'unrecognized_keys') {
    const messages = issue.message.split('\n')
    return issue.keys.map((key, i) => ({
      path: [...path, key],
      message: messages[i] ?? `unknown key "${key}"`,
      atKey: true,
    }))
  }
  if (issue.code === 'invalid_key') {
    return [{ path, message: issue.issues[0]?.message ?? issue.message, atKey: true }]
  }
  if (issue.code === 'invalid_union') {
    const branch = closestBranch(issue.errors)
    if (branch) return branch.flatMap((inner) => toMistakes(inner, path))
  }
  if (issue.code === 'custom' && typeof issue.params?.found === 'string') {
    const candidates = Array.isArray(issue.params.candidates) ? issue.params.candidates.map(String) : []
    return [{ path, message: issue.message + didYouMean(issue.params.found, candidates) }]
  }
  return [{ path, message: issue.message }]
}

/** The form the writer most likely meant: the one that has the right type and fails further in. */
function closestBranch(branches: readonly (readonly z.core.$ZodIssue[])[]): readonly z.core.$ZodIssue[] | undefined {
  return branches
    .filter(
      (issues) =>
        issues.length > 0 && !issues.some((issue) => issue.path.length === 0 && issue.code === 'invalid_type'),
    )
    .sort((a, b) => a.length - b.length)[0]
}
