import { z } from 'zod'
import { listOf, reference, show } from '../../../gateway/config/fields.ts'
import type { Reference } from '../../../gateway/core/reference.ts'
import type { Scope } from '../../../gateway/core/scope.ts'

/** One line of a condition: what is looked at, and what must be true of it. */
export interface Test {
  readonly reference: Reference
  holds(value: unknown): boolean
}

/** Lines by the reference as written; all must hold. */
type Tests = Readonly<Record<string, Test>>

/** One mapping, or several of which one must hold. Keeps the form of the file, so that mistakes find their place. */
export type Condition = Tests | readonly Tests[]

const plain = z.union([z.string().max(1_024), z.number(), z.boolean()], {
  error: 'expected an exact value: text, a number, true or false',
})
const oneOf = listOf(plain).min(1).max(1_000)

const comparisons = z.strictObject({
  exists: z.boolean().optional().describe('Whether there is a value at all; null is none'),
  in: oneOf.optional().describe('The value is one of these'),
  not: z.union([plain, oneOf]).optional().describe('The value is none of these; no value is none of them'),
  above: z.number().optional().describe('A number greater than this'),
  below: z.number().optional().describe('A number less than this'),
  'at-least': z.number().optional().describe('A number no less than this'),
  'at-most': z.number().optional().describe('A number no greater than this'),
})

type Comparison = z.output<typeof comparisons>

const comparison = comparisons
  .refine((given) => Object.keys(given).length > 0, {
    error: 'expected at least one comparison, as in "exists: true"',
    when: ({ issues }) => issues.length === 0,
  })
  .refine((given) => !isContradictory(given), { error: 'never holds: the comparisons contradict each other' })

type Written = z.output<typeof plain> | z.output<typeof oneOf> | Comparison

const tests = z
  .record(z.string(), z.union([plain, oneOf, comparison]))
  .refine((record) => Object.keys(record).length > 0, { error: 'expected at least one condition' })
  .transform((record, context): Tests => {
    const entries = Object.entries(record).flatMap(([source, written]): [string, Test][] => {
      const parsed = reference.safeParse(source)
      if (parsed.success) return [[source, { reference: parsed.data, holds: compile(written) }]]
      for (const { message, ...issue } of parsed.error.issues) {
        const params = 'params' in issue ? issue.params : undefined
        context.addIssue({ code: 'custom', message, path: [source], ...(params ? { params } : {}) })
      }
      return []
    })
    return Object.fromEntries(entries)
  })

/** `{ claims.role: admin, query.n: { at-least: 2 } }`, or a list of such mappings; a `Condition` once parsed. */
export const condition = z.union([tests, z.array(tests).min(1).max(32)], {
  error: ({ input }) => `expected values by reference, as in { query.kind: gift }, found ${show(input)}`,
})

/** Compiles a condition to a question about a request. */
export function compileCondition(written: Condition): (scope: Scope) => boolean {
  const alternatives = [written].flat().map((all) => Object.values(all as Tests))
  return (scope) => alternatives.some((all) => all.every(({ reference: { read }, holds }) => holds(read(scope))))
}

function isContradictory({ exists, in: members, above, below, ...bounds }: Comparison): boolean {
  const least = Math.max(above ?? Number.NEGATIVE_INFINITY, bounds['at-least'] ?? Number.NEGATIVE_INFINITY)
  const most = Math.min(below ?? Number.POSITIVE_INFINITY, bounds['at-most'] ?? Number.POSITIVE_INFINITY)
  if (least > most || (least === most && (least === above || most === below))) return true
  return exists === false && (members !== undefined || Number.isFinite(least) || Number.isFinite(most))
}

function compile(written: Written): (value: unknown) => boolean {
  if (typeof written !== 'object' || Array.isArray(written)) return isOneOf([written].flat())
  const all = [...compileComparison(written)]
  return (value) => all.every((holds) => holds(value))
}

function* compileComparison(given: Comparison): Generator<(value: unknown) => boolean> {
  const { exists, in: members, not, above, below } = given
  const atLeast = given['at-least']
  const atMost = given['at-most']
  if (exists !== undefined) yield (value) => (value !== undefined && value !== null) === exists
  if (members !== undefined) yield isOneOf(members)
  if (not !== undefined) {
    const excluded = isOneOf([not].flat())
    yield (value) => !excluded(value)
  }
  if (above !== undefined) yield (value) => toNumber(value) > above
  if (below !== undefined) yield (value) => toNumber(value) < below
  if (atLeast !== undefined) yield (value) => toNumber(value) >= atLeast
  if (atMost !== undefined) yield (value) => toNumber(value) <= atMost
}

/** Values are compared as text, as requests have no other; a list fits when one of its members does. */
function isOneOf(wanted: readonly (string | number | boolean)[]): (value: unknown) => boolean {
  const texts = new Set(wanted.map(String))
  const fits = (value: unknown) => isPlain(value) && texts.has(String(value))
  return (value) => (Array.isArray(value) ? value.some(fits) : fits(value))
}

function isPlain(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

const DECIMAL = /^-?\d{1,15}(?:\.\d{1,15})?$/

/** NaN, of which no comparison holds, for what is no number. */
function toNumber(value: unknown): number {
  if (typeof value === 'number') return value
  return typeof value === 'string' && DECIMAL.test(value) ? Number(value) : Number.NaN
}
