import jsonata from 'jsonata'
import { z } from 'zod'
import { type NameMistake, type NamesRead, namesIn } from './expression-names.ts'

/** A JSONata expression that has been read and found to name nothing it may not. */
export class Expression {
  readonly source: string
  /** Variables it reads that the aggregate gives. */
  readonly given: ReadonlySet<string>
  /** Parts it reads by name, as in `$parts.x`, with where in the expression they stand. */
  readonly parts: readonly { readonly name: string; readonly place: string }[]

  constructor(source: string, { given, parts }: NamesRead) {
    this.source = source
    this.given = given
    this.parts = [...parts].map(([name, position]) => ({ name, place: placeOf(source, position) }))
  }
}

/** Variables of an expression about the whole answer. */
export const GIVEN = ['parts', 'composition'] as const

const LONGEST = 16_384

/** An expression as an option; `given` are the variables it may read beside its own. */
export function expression(given: readonly string[]) {
  return z
    .string({ error: 'expected a JSONata expression' })
    .min(1)
    .max(LONGEST, { error: `is longer than ${LONGEST} characters`, abort: true })
    .transform((source, context) => {
      const read = readExpression(source, given)
      if (read instanceof Expression) return read
      const { message, found, candidates } = read
      context.addIssue({ code: 'custom', message, ...(found === undefined ? {} : { params: { found, candidates } }) })
      return z.NEVER
    })
}

interface ExpressionMistake extends Omit<NameMistake, 'position'> {}

function readExpression(source: string, given: readonly string[]): Expression | ExpressionMistake {
  let tree: unknown
  try {
    tree = jsonata(source).ast()
  } catch (error) {
    return { message: `${placeOf(source, positionOf(error))}${messageOf(error)}` }
  }
  const found = namesIn(tree, given)
  if ('given' in found) return new Expression(source, found)
  return { ...found, message: `${placeOf(source, found.position)}${found.message}` }
}

function positionOf(error: unknown): number | undefined {
  const position = typeof error === 'object' && error !== null && 'position' in error ? error.position : undefined
  return typeof position === 'number' ? position : undefined
}

/** What JSONata throws is no `Error`. */
export function messageOf(error: unknown): string {
  const message = typeof error === 'object' && error !== null && 'message' in error ? error.message : undefined
  return typeof message === 'string' ? message : String(error)
}

/** Where in the expression, counted from 1; JSONata tells where a token ends. */
function placeOf(source: string, position: number | undefined): string {
  if (position === undefined) return ''
  const before = source.slice(0, position).split('\n')
  const column = Math.max(1, before.at(-1)?.length ?? 0)
  return source.includes('\n') ? `line ${before.length}, character ${column}: ` : `character ${column}: `
}
