import { z } from 'zod'
import { reference } from '../../gateway/config/fields.ts'
import type { Reference, Root } from '../../gateway/core/reference.ts'
import type { Scope } from '../../gateway/core/scope.ts'

/** What is known of a request before any upstream is called, its body left alone. */
const REQUEST_ROOTS: readonly Root[] = ['headers', 'cookies', 'claims', 'query', 'client']

/** A reference to something every request can carry, such as `headers.x-release` or `claims.sub`. */
export const requestReference = reference.refine(({ root }) => REQUEST_ROOTS.includes(root), {
  error: `expected a reference to ${REQUEST_ROOTS.join(', ')}`,
})

/** One condition: the referred value is one of these texts. */
export interface Condition {
  readonly reference: Reference
  readonly values: readonly string[]
}

const exactValue = z.union([z.string().max(1_024), z.number(), z.boolean()], {
  error: 'expected an exact value: text, a number, true or false',
})

/** `{ headers.x-release: canary, claims.plan: [gold, team] }`; a list of `Condition`s once parsed. */
export const conditions = z
  .record(
    z.string(),
    z.union([exactValue, z.array(exactValue).min(1).max(1_000)], {
      error: 'expected an exact value or a list of them',
    }),
  )
  .refine((record) => Object.keys(record).length > 0, { error: 'expected at least one condition' })
  .transform((record, context): readonly Condition[] =>
    Object.entries(record).flatMap(([source, wanted]) => {
      const parsed = requestReference.safeParse(source)
      if (parsed.success) return { reference: parsed.data, values: [wanted].flat().map(String) }
      for (const { message, ...issue } of parsed.error.issues) {
        const params = 'params' in issue ? issue.params : undefined
        context.addIssue({ code: 'custom', message, path: [source], ...(params ? { params } : {}) })
      }
      return []
    }),
  )

/** True when every condition holds. A value that is a list (a claim, say) fits when one of its members does. */
export function fits(all: readonly Condition[], scope: Scope): boolean {
  return all.every(({ reference: { read }, values }) =>
    [read(scope)].flat().some((value) => isPlain(value) && values.includes(String(value))),
  )
}

/** The first of the referred values that is there and not empty, as text. */
export function firstPresent(references: readonly Reference[], scope: Scope): string | undefined {
  for (const { read } of references) {
    const value = read(scope)
    if (isPlain(value) && value !== '') return String(value)
  }
  return undefined
}

function isPlain(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}
