import type jsonata from 'jsonata'
import type { BudgetOf } from './budget.ts'
import { registerSort } from './sort.ts'
import { isFunction } from './write-json.ts'

/**
 * Functions whose result can be far larger than what they are given, or that take far longer; in their bounds here.
 * JSONata reads the names of their parameters in their text when only some are given: defaults would be none.
 */
export function registerBounded(expression: jsonata.Expression, budgetOf: BudgetOf): void {
  registerSort(expression, budgetOf)
  expression.registerFunction(
    'pad',
    function (text: string | undefined, width: number, filler?: string) {
      if (text === undefined) return undefined
      budgetOf(this.environment).allow(Math.abs(width))
      const fill = filler === undefined || filler === '' ? ' ' : filler
      const missing = Math.max(0, Math.abs(Math.trunc(width)) - [...text].length)
      const characters = [...fill]
      const whole = Math.floor(missing / characters.length)
      const padding = fill.repeat(whole) + characters.slice(0, missing % characters.length).join('')
      return width < 0 ? padding + text : text + padding
    },
    '<s-ns?:s>',
  )
  expression.registerFunction(
    'join',
    function (texts: string[] | undefined, separator?: string) {
      if (texts === undefined) return undefined
      const between = (separator ?? '').length * Math.max(0, texts.length - 1)
      budgetOf(this.environment).allow(texts.reduce((sum, { length }) => sum + length, between))
      return texts.join(separator ?? '')
    },
    '<a<s>s?:s>',
  )
  expression.registerFunction(
    'replace',
    function (text: string | undefined, pattern: string, replacement: string, limit?: number) {
      if (text === undefined) return undefined
      if (pattern === '') throw new RangeError('the text to replace is empty')
      const pieces = text.split(pattern)
      const replaced = Math.max(0, Math.min(pieces.length - 1, limit ?? Number.POSITIVE_INFINITY))
      budgetOf(this.environment).allow(text.length + replaced * replacement.length)
      const rest = pieces.slice(replaced).join(pattern)
      return (
        pieces
          .slice(0, replaced)
          .map((piece) => piece + replacement)
          .join('') + rest
      )
    },
    '<s-ssn?:s>',
  )
  expression.registerFunction('spread', spread, '<x-:a<o>>')
  expression.registerFunction(
    'distinct',
    (values: unknown) => (Array.isArray(values) ? unlike(values) : values),
    '<x:x>',
  )
}

/** A mapping for each member. JSONata copies the list it has so far for each entry of a list. */
function spread(value: unknown): unknown {
  if (Array.isArray(value) && value.length > 0) return membersOf(value)
  // A sequence of JSONata: of one it is that one, of none it is nothing.
  return isComposite(value) ? Object.assign(membersOf(value), { sequence: true }) : value
}

function membersOf(value: unknown): unknown[] {
  if (Array.isArray(value)) return value.flatMap(membersOf)
  return isComposite(value) ? Object.entries(value).map(([name, inner]) => ({ [name]: inner })) : [value]
}

function isComposite(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !isFunction(value)
}

/** The first of each that are alike, keys in any order; JSONata compares each with each. */
function unlike(values: readonly unknown[]): unknown[] {
  const first = new Map<string, unknown>()
  for (const value of values) {
    const text = JSON.stringify(sorted(value))
    if (!first.has(text)) first.set(text, value)
  }
  return [...first.values()]
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]) => [key, sorted(inner)])
}
