import { expect } from 'bun:test'
import { ConfigError, type Mistake } from '../../gateway/config/mistake.ts'
import { openPage } from './test-page.ts'

/** One route whose `aggregate` has the given lines, the first of which is line 9. */
const FIRST_LINE = 9
export const configOf = (lines: readonly string[]) => `version: 1
upstreams:
  u: { url: http://u.test }
routes:
  page:
    path: /page/:id
    policies:
      - aggregate:
${lines.map((line) => `          ${line}`).join('\n')}
`

export async function mistakesIn(lines: readonly string[]): Promise<readonly Mistake[]> {
  const error = await openPage({ config: configOf(lines) }).catch((reason: unknown) => reason)
  if (!(error instanceof ConfigError)) throw new Error('The configuration was accepted')
  return error.mistakes
}

/** A part as it stands on a line under `parts`. */
export const part = (name: string, more = '') =>
  `  ${name}: { upstream: u, path: /${name}${more === '' ? '' : `, ${more}`} }`

export interface Case {
  readonly name: string
  readonly lines: readonly string[]
  /** The line that is wrong, counted from 0. */
  readonly at: number
  readonly path: string
  readonly message: string
}

/** Expects one mistake, where and what the case says. */
export async function expectMistake({ lines, at, path, message }: Case): Promise<void> {
  expect(await mistakesIn(lines)).toEqual([
    expect.objectContaining({
      line: FIRST_LINE + at,
      path: `routes.page.policies[0].aggregate.${path}`,
      message: expect.stringContaining(message),
    }),
  ])
}
