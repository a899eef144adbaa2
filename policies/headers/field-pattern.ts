import { z } from 'zod'
import { show } from '../../gateway/config/fields.ts'
import { isProtected } from './protected-fields.ts'

/** The name of a header field, or the beginning of several names and a `*`; lower case once parsed. */
export const fieldPattern = z
  .string()
  .max(128)
  .regex(/^[!#$%&'+.^_`|~0-9A-Za-z-]+\*?$/, {
    error: (issue) => `expected a header name such as "server", or "x-internal-*", found ${show(issue.input)}`,
  })
  .transform((name) => name.toLowerCase())

/** The names among `headers` that fit a pattern. A pattern never reaches a field that cannot be named either. */
export function matchingNames(patterns: readonly string[], headers: Headers): string[] {
  if (patterns.length === 0) return []
  return [...headers.keys()].filter((name) => !isProtected(name) && patterns.some((pattern) => fits(name, pattern)))
}

function fits(name: string, pattern: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern
}
