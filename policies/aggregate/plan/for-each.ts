import { z } from 'zod'
import { expecting, template } from '../../../gateway/config/fields.ts'
import type { Scope } from '../../../gateway/core/scope.ts'
import type { Template } from '../../../gateway/core/template.ts'
import { type Constant, constant } from './constant.ts'
import { dottedPath } from './dotted-path.ts'

const items = template.refine((given) => listOf(given) !== undefined, {
  error: 'expected one list and nothing else, of an earlier part or of the request, as in "{parts.list.body.items}"',
})

const settings = z.strictObject({
  items: items.describe('The list: of an earlier part\'s body or of the request\'s, as in "{parts.list.body.items}"'),
  'at-most': z.int().min(1).max(10_000).default(100).describe('Most items; a longer list fails the part'),
  concurrency: z.int().min(1).max(1_000).optional().describe("Calls of this part at once; the aggregate's"),
  fallback: constant
    .optional()
    .describe('JSON to put in place of an item without a reply; without it such an item fails the part'),
})

/** Asks once for each item of a list: the list alone, or with settings. */
export const forEach = z.union([settings, items.transform((list) => settings.parse({ items: list.source }))])

/** One call for many items. */
export const batch = z.strictObject(
  {
    key: template.describe('What an item is asked by, as in "{item.sku}"'),
    join: dottedPath
      .optional()
      .describe('Where each entry of the reply has its key, as in "sku"; without it the reply is a mapping by key'),
    in: dottedPath
      .optional()
      .describe('Where in the reply the list or mapping is, as in "data.items"; the reply itself'),
    'at-most': z.int().min(1).max(1_000).default(50).describe('Most keys of one call; more are split into several'),
  },
  expecting('how items are asked for together, as in { key: "{item.sku}", join: sku }'),
)

/** How a list is asked for, compiled. */
export interface ForEach {
  readonly atMost: number
  readonly concurrency: number
  readonly fallback: Constant | undefined
  readonly batch: Batch | undefined
  /** The list as written, for messages. */
  readonly source: string
  /** True when the list is the client's, whose fault a wrong one is. */
  readonly isClients: boolean
  list(scope: Scope): unknown
}

export interface Batch {
  readonly atMost: number
  readonly join: readonly string[] | undefined
  readonly in: readonly string[]
  key(scope: Scope): unknown
  /** True when the keys of a call stand one after the other with commas between them. */
  readonly hasCommas: boolean
}

/** What of a part's options says how its list is asked for. */
interface Written {
  readonly 'for-each'?: z.output<typeof forEach> | undefined
  readonly batch?: z.output<typeof batch> | undefined
  readonly path: Template
}

/** Compiles what was written for a part; undefined for a part that is asked for once. */
export function compileForEach(
  { 'for-each': written, batch: together, path }: Written,
  concurrency: number,
): ForEach | undefined {
  if (!written) return undefined
  const list = listOf(written.items)
  if (!list) throw new TypeError('A list that is no reference was accepted')
  return {
    atMost: written['at-most'],
    concurrency: Math.min(written.concurrency ?? concurrency, concurrency),
    fallback: written.fallback,
    source: list.source,
    isClients: list.root !== 'parts',
    list: list.read,
    batch: together && {
      atMost: together['at-most'],
      join: together.join,
      in: together.in ?? [],
      key: (scope) => together.key.value(scope),
      hasCommas: path.references.some(({ root }) => root === 'keys'),
    },
  }
}

/** The one reference a list is given by. */
function listOf({ pieces }: Template) {
  const [only, more] = pieces
  if (only === undefined || more !== undefined || typeof only === 'string') return undefined
  const isBody = only.root === 'body' || (only.root === 'parts' && only.path[1] === 'body')
  return isBody ? only : undefined
}
