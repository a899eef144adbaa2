import { z } from 'zod'
import { pathTemplate, show } from '../../gateway/config/fields.ts'
import { GatewayError } from '../../gateway/core/errors.ts'
import type { Scope } from '../../gateway/core/scope.ts'
import type { Template } from '../../gateway/core/template.ts'

/** Where a redirect leads: an origin that is fixed in the file, or none for this site, and a path with `{…}` in it. */
export interface Destination {
  readonly origin: string
  readonly path: Template
}

const ABSOLUTE = /^(https?:\/\/[a-z0-9.-]+(?::\d{1,5})?|https?:\/\/\[[0-9a-f:.]+\](?::\d{1,5})?)(\/.*)?$/i

/** `/path/{params.id}` or `https://shop.example/path/{params.id}`; a `Destination` once parsed. */
export const destination = z
  .string({ error: (issue) => `expected a path or URL, found ${show(issue.input)}` })
  .max(8_192)
  .transform((text, context): Destination => {
    const [, origin = '', rest = '/'] = ABSOLUTE.exec(text) ?? [text, '', text]
    if (origin === '' && !text.startsWith('/')) {
      context.addIssue({
        code: 'custom',
        message: `expected a path such as "/new/{params.id}", or a URL whose host stands as it is, found ${show(text)}`,
      })
      return z.NEVER
    }
    const path = pathTemplate.safeParse(rest)
    if (path.success) return { origin, path: path.data }
    for (const { message, ...issue } of path.error.issues) {
      const params = 'params' in issue ? issue.params : undefined
      context.addIssue({ code: 'custom', message, ...(params ? { params } : {}) })
    }
    return z.NEVER
  })

/** The `Location` for one request. No value in it can leave its place; throws `invalid-request` where one would. */
export function locationOf({ origin, path }: Destination, scope: Scope): string {
  const rendered = path.path(scope)
  // A browser reads "//evil.test" as another host. Only a wildcard's value can begin with a slash.
  if (rendered.startsWith('//'))
    throw new GatewayError('invalid-request', { detail: 'The path begins with two slashes' })
  return origin + rendered
}
