import { z } from 'zod'
import { show } from './fields.ts'
import { mendKeys, type UnknownKey } from './meant-keys.ts'
import { didYouMean, nearest, type Path } from './mistake.ts'

/** A mistake in data, before it has a place in a file. */
export interface DataMistake {
  readonly path: Path
  readonly message: string
  /** True when the key is wrong, not its value. */
  readonly atKey?: boolean
}

/** What a schema says of data. */
export interface Checked<Value> {
  /** Undefined when there are mistakes. */
  readonly value: Value | undefined
  readonly mistakes: readonly DataMistake[]
  /** The data as it was probably meant: misspelt keys under their right names, other unknown keys left out. */
  readonly meant: unknown
  /** What the schema makes of `meant`; undefined when that has mistakes too. */
  readonly meantValue: Value | undefined
  /** Where a path of `meant` stands in the file. */
  written(path: Path): Path
}

/** A key may hide others beneath it that are misspelt too; nothing in a file is nested deeper than this. */
const MOST_PASSES = 8

/**
 * Runs a schema and words every issue for the person who wrote the file. An unknown key does not hide what is wrong
 * beside and beneath it. `prefix` leads from the document to `data`.
 */
export function check<Schema extends z.ZodType>(
  schema: Schema,
  data: unknown,
  prefix: Path,
): Checked<z.output<Schema>> {
  const unknownKeys: DataMistake[] = []
  let mended = mendKeys(data, [], prefix)
  for (let pass = 1; ; pass++) {
    const { meant, written } = mended
    const { success, data: value, error } = schema.safeParse(meant, { error: word })
    if (success) {
      const isRight = unknownKeys.length === 0
      return { value: isRight ? value : undefined, mistakes: unknownKeys, meant, meantValue: value, written }
    }
    const found = error.issues.flatMap((issue) => toMistakes(issue, prefix))
    const unknown = found.filter(isUnknownKey)
    const told = (one: DataMistake) => ({ ...one, path: written(one.path) })
    if (unknown.length === 0 || pass === MOST_PASSES) {
      return { value: undefined, mistakes: [...unknownKeys, ...found.map(told)], meant, meantValue: undefined, written }
    }
    unknownKeys.push(...unknown.map(told))
    mended = mendKeys(meant, unknown, prefix, mended)
  }
}

function isUnknownKey(mistake: DataMistake | UnknownKey): mistake is UnknownKey {
  return 'meant' in mistake
}

type RawIssue = Parameters<z.core.$ZodErrorMap>[0]

/** Words for issues whose schema brings none of its own. */
function word(issue: RawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return mismatch(article(issue.expected), issue.input)
    case 'invalid_value':
      return mismatch(choice(issue.values), issue.input, issue.values)
    case 'unrecognized_keys':
      // Not words yet: what the mistakes are made of.
      return keysOf(issue.inst).join('\n')
    case 'too_small':
      if (issue.origin === 'string' && issue.minimum === 1) return 'must not be empty'
      return `expected ${sizeOf(issue.origin, 'at least', issue.minimum)}, found ${show(issue.input)}`
    case 'too_big':
      return `expected ${sizeOf(issue.origin, 'at most', issue.maximum)}, found ${show(issue.input)}`
    case 'not_multiple_of':
      return `expected a multiple of ${issue.divisor}, found ${show(issue.input)}`
    case 'invalid_union':
      return mismatch(forms(issue.errors) || 'another form', issue.input)
    case 'invalid_format':
      return `is not written as it must be: expected ${FORMATS[issue.format] ?? 'another form'}`
    default:
      return undefined
  }
}

const FORMATS: Readonly<Record<string, string>> = { url: 'a URL', regex: 'only characters this place may have' }

/** Text where a mapping or a list belongs is not shown: it may be a key or a password. */
function mismatch(expected: string, input: unknown, values: readonly unknown[] = []): string {
  if (input === undefined) return `is missing: expected ${expected}`
  if (expected === 'text' && (typeof input === 'number' || typeof input === 'boolean')) {
    return `expected text, found ${typeof input === 'number' ? 'a number' : show(input)}: put it in quotes`
  }
  const isHidden = typeof input === 'string' && (expected === 'a mapping' || expected === 'a list')
  const hint = typeof input === 'string' ? didYouMean(input, values.map(String)) : ''
  return `expected ${expected}, found ${isHidden ? 'text' : show(input)}${hint}`
}

function choice(values: readonly unknown[]): string {
  const shown = values.map((value) => show(value))
  return shown.length > 2 ? `one of ${shown.join(', ')}` : shown.join(' or ')
}

/** What the forms of a union ask for at its own place. */
function forms(branches: readonly (readonly z.core.$ZodIssue[])[]): string {
  const own = branches.flatMap((issues) => issues.filter(({ path }) => path.length === 0))
  const expected = own.flatMap((issue) => {
    if (issue.code === 'invalid_type') return [article(issue.expected)]
    return issue.code === 'invalid_value' ? [choice(issue.values)] : []
  })
  return [...new Set(expected)].join(' or ')
}

function sizeOf(origin: string, bound: string, size: number | bigint): string {
  const units: Readonly<Record<string, readonly [string, string]>> = {
    string: ['character', 'characters'],
    array: ['entry', 'entries'],
    record: ['entry', 'entries'],
    object: ['key', 'keys'],
  }
  const unit = units[origin]
  return `${bound} ${size}${unit ? ` ${unit[Number(size) === 1 ? 0 : 1]}` : ''}`
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

function toMistakes(issue: z.core.$ZodIssue, prefix: Path): (DataMistake | UnknownKey)[] {
  const path = [...prefix, ...issue.path.map((step) => (typeof step === 'number' ? step : String(step)))]
  if (issue.code === 'unrecognized_keys') {
    const known = issue.message.split('\n')
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: `unknown key "${key}"${didYouMean(key, known) || oneOf(known)}`,
      atKey: true,
      meant: nearest(key, known),
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
    const { found, candidates, advice = '' } = issue.params
    const names = Array.isArray(candidates) ? candidates.map(String) : []
    return [{ path, message: issue.message + (didYouMean(found, names) || String(advice)) }]
  }
  return [{ path, message: issue.message }]
}

/** Most keys that are listed for one that is near none of them. */
const FEW_KEYS = 8

function oneOf(keys: readonly string[]): string {
  return keys.length < 2 || keys.length > FEW_KEYS ? '' : `: expected one of ${keys.join(', ')}`
}

/**
 * The form the writer most likely meant: the one that fits at its own place and has the fewest mistakes further in.
 * None when several have equally many, as then only the union's own words are sure to be true.
 */
function closestBranch(branches: readonly (readonly z.core.$ZodIssue[])[]): readonly z.core.$ZodIssue[] | undefined {
  const [first, second] = branches
    .filter((issues) => issues.length > 0 && !issues.some(isOtherForm))
    .sort((a, b) => distance(a) - distance(b))
  return first && second && distance(first) === distance(second) ? undefined : first
}

/** A key the form does not know counts for more than any number of wrong values. */
function distance(issues: readonly z.core.$ZodIssue[]): number {
  return issues.length + (issues.some(({ code }) => code === 'unrecognized_keys') ? 1_000 : 0)
}

function isOtherForm(issue: z.core.$ZodIssue): boolean {
  if (issue.path.length > 0) return false
  if (issue.code === 'invalid_union') return issue.errors.every((inner) => inner.some(isOtherForm))
  return issue.code === 'invalid_type' || issue.code === 'invalid_value'
}
