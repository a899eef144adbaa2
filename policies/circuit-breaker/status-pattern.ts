import { z } from 'zod'
import { show } from '../../gateway/config/fields.ts'

const expected = (issue: { readonly input?: unknown }) =>
  `expected a status such as 503, or a class such as "5xx", found ${show(issue.input)}`

/** A status (503) or a class of them (`5xx`). */
export const statusPattern = z.union(
  [
    z.int({ error: expected }).min(100, { error: expected }).max(599, { error: expected }),
    z.string({ error: expected }).regex(/^[1-5]xx$/, { error: expected }),
  ],
  { error: expected },
)

/** Makes the test whether a status fits one of the patterns. */
export function statusMatcher(patterns: readonly (number | string)[]): (status: number) => boolean {
  const known = new Set(patterns)
  return (status) => known.has(status) || known.has(`${Math.floor(status / 100)}xx`)
}
