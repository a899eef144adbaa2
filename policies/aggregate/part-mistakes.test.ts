import { describe, expect, test } from 'bun:test'
import { ConfigError, type Mistake } from '../../gateway/config/mistake.ts'
import { openPage } from './test-page.ts'

/** One route whose `aggregate` has a list `a` and the given part `b`, each option on a line of its own from line 12. */
const FIRST_LINE = 12
const configOf = (lines: readonly string[], settings = '') => `version: 1
upstreams:
  a: { url: http://a.test }
routes:
  page:
    path: /page/:id
    policies:
      - aggregate:
          parts:
            a: { upstream: a, path: /a }
            b:
${lines.map((line) => `              ${line}`).join('\n')}
${settings === '' ? '' : `          ${settings}\n`}`

async function mistakesIn(config: string): Promise<readonly Mistake[]> {
  const error = await openPage({ config }).catch((reason: unknown) => reason)
  if (!(error instanceof ConfigError)) throw new Error('The configuration was accepted')
  return error.mistakes
}

const PLAIN = ['upstream: a', 'path: /b']
const EACH = ['upstream: a', 'path: "/b/{item.id}"', 'for-each: "{parts.a.body.items}"']
const BATCH = ['upstream: a', 'path: "/b?ids={keys}"', 'for-each: "{parts.a.body.items}"']
const PART = 'routes.page.policies[0].aggregate.parts.b'

interface Case {
  readonly name: string
  readonly lines: readonly string[]
  /** The line that is wrong, counted from 0. */
  readonly at: number
  readonly path: string
  readonly message: string
}

const CASES: readonly Case[] = [
  {
    name: 'an unknown part in the query',
    lines: [...PLAIN, 'query: { x: "{parts.nope.body.x}" }'],
    at: 2,
    path: 'query.x',
    message: 'unknown part "nope"',
  },
  {
    name: 'an unknown part deep in the body',
    lines: [...PLAIN, 'method: POST', 'body:', '  list:', '    - "{parts.c.body}"', 'safe: true'],
    at: 5,
    path: 'body.list[0]',
    message: 'unknown part "c" in "parts.c.body"',
  },
  {
    name: 'a brace in the body without its partner',
    lines: [...PLAIN, 'method: POST', 'body:', '  x: "{oops"'],
    at: 4,
    path: 'body.x',
    message: 'has a brace without its partner',
  },
  {
    name: 'an unknown parameter in a header',
    lines: [...PLAIN, 'headers: { x-id: "{params.idd}" }'],
    at: 2,
    path: 'headers.x-id',
    message: 'unknown parameter "idd"',
  },
  {
    name: 'a part that waits for itself in its condition',
    lines: [...PLAIN, 'when: { parts.b.status: 200 }'],
    at: 2,
    path: 'when.parts.b.status',
    message: '"b" reads its own reply',
  },
  {
    name: 'an unknown name in a condition',
    lines: [...PLAIN, 'when: { claim.role: admin }'],
    at: 2,
    path: 'when.claim.role',
    message: 'unknown name "claim" in "claim.role"; did you mean "claims"?',
  },
  {
    name: 'an unknown comparison',
    lines: [...PLAIN, 'when: { query.n: { atleast: 2 } }'],
    at: 2,
    path: 'when.query.n.atleast',
    message: 'unknown key "atleast"; did you mean "at-least"?',
  },
  {
    name: 'a condition that is an expression',
    lines: [...PLAIN, 'when: "query.n == 2"'],
    at: 2,
    path: 'when',
    message: 'expected values by reference, as in { query.kind: gift }, found "query.n == 2"',
  },
  {
    name: 'no condition at all',
    lines: [...PLAIN, 'when: {}'],
    at: 2,
    path: 'when',
    message: 'expected at least one condition',
  },
  {
    name: 'a condition that never holds',
    lines: [...PLAIN, 'when: { query.n: { above: 5, below: 5 } }'],
    at: 2,
    path: 'when.query.n',
    message: 'never holds: the comparisons contradict each other',
  },
  {
    name: 'a value that must be there and not',
    lines: [...PLAIN, 'when: { query.n: { exists: false, in: [a] } }'],
    at: 2,
    path: 'when.query.n',
    message: 'never holds',
  },
  {
    name: 'a body of a GET',
    lines: [...PLAIN, 'body: { x: 1 }'],
    at: 2,
    path: 'body',
    message: 'is never sent: a GET has none',
  },
  {
    name: 'a field that frames the message',
    lines: [...PLAIN, 'headers: { Content-Length: "3" }'],
    at: 2,
    path: 'headers.content-length',
    message: `is the gateway's to write`,
  },
  {
    name: 'a coding the aggregate chooses itself',
    lines: [...PLAIN, 'headers: { accept-encoding: br }'],
    at: 2,
    path: 'headers.accept-encoding',
    message: `is the gateway's to write`,
  },
  {
    name: 'a status that is passed by an optional part',
    lines: [...PLAIN, 'pass-status: [404]'],
    at: 2,
    path: 'pass-status',
    message: 'only a required part decides the answer',
  },
  {
    name: 'a status that is passed and a success',
    lines: [...PLAIN, 'required: true', 'success: [2xx, 404]', 'pass-status: [409, 404]'],
    at: 4,
    path: 'pass-status[1]',
    message: '404 is a success of this part',
  },
  {
    name: 'a status that needs the upstream’s fields',
    lines: [...PLAIN, 'required: true', 'pass-status: [401]'],
    at: 3,
    path: 'pass-status[0]',
    message: 'cannot be passed',
  },
  {
    name: 'a status that is no success anywhere',
    lines: [...PLAIN, 'success: [1xx]'],
    at: 2,
    path: 'success[0]',
    message: 'expected a status such as 404, or a class of them such as "2xx"',
  },
  {
    name: 'a stale reply for a required part',
    lines: [...PLAIN, 'required: true', 'fallback-to: stale'],
    at: 3,
    path: 'fallback-to',
    message: 'is never used',
  },
  {
    name: 'a cache for what may change something',
    lines: [...PLAIN, 'method: POST', 'cache: 10s', 'safe: true'],
    at: 3,
    path: 'cache',
    message: 'only what is asked by GET is kept',
  },
  {
    name: 'an item without a list',
    lines: ['upstream: a', 'path: "/b/{item.id}"'],
    at: 1,
    path: 'path',
    message: '"item.id" has no value here: only a part with "for-each" has items',
  },
  {
    name: 'keys without a batch',
    lines: [...EACH, 'query: { ids: "{keys}" }'],
    at: 3,
    path: 'query.ids',
    message: 'only a call with "batch" has keys',
  },
  {
    name: 'a name of keys',
    lines: ['upstream: a', 'path: "/b?ids={keys.x}"'],
    at: 1,
    path: 'path',
    message: '"keys.x" goes too deep: "keys" is one value',
  },
  {
    name: 'a list that is a text',
    lines: ['upstream: a', 'path: "/b/{item}"', 'for-each: "x{parts.a.body.items}"'],
    at: 2,
    path: 'for-each',
    message: 'expected one list and nothing else',
  },
  {
    name: 'a list that is a status',
    lines: ['upstream: a', 'path: "/b/{item}"', 'for-each: { items: "{parts.a.status}" }'],
    at: 2,
    path: 'for-each.items',
    message: 'expected one list and nothing else',
  },
  {
    name: 'a list of an unknown part',
    lines: ['upstream: a', 'path: "/b/{item}"', 'for-each: "{parts.aa.body}"'],
    at: 2,
    path: 'for-each.items',
    message: 'unknown part "aa"',
  },
  {
    name: 'a call that is the same for every item',
    lines: [...PLAIN, 'for-each: "{parts.a.body.items}"'],
    at: 2,
    path: 'for-each',
    message: 'every item would make the same call',
  },
  {
    name: 'an item in the condition, where there is none yet',
    lines: [...EACH, 'when: { item.id: 1 }'],
    at: 3,
    path: 'when.item.id',
    message: 'the list is not there yet',
  },
  {
    name: 'an item in a call for many',
    lines: [...BATCH, 'batch: { key: "{item.id}" }', 'headers: { x-id: "{item.id}" }'],
    at: 4,
    path: 'headers.x-id',
    message: 'one call asks for many items; use "{keys}"',
  },
  {
    name: 'a key that is the same for every item',
    lines: [...BATCH, 'batch: { key: "{params.id}" }'],
    at: 3,
    path: 'batch.key',
    message: 'must read "{item}"',
  },
  {
    name: 'a call for many that does not say for which',
    lines: [...PLAIN, 'for-each: "{parts.a.body.items}"', 'batch: { key: "{item.id}" }'],
    at: 3,
    path: 'batch',
    message: 'use "{keys}" in it',
  },
  {
    name: 'a batch without a list',
    lines: [...PLAIN, 'batch: { key: "{params.id}" }'],
    at: 2,
    path: 'batch',
    message: 'it needs the list of a "for-each"',
  },
]

describe('the options of a part', () => {
  test.each([...CASES])('refuse $name and say where', async ({ lines, at, path, message }) => {
    expect(await mistakesIn(configOf(lines))).toEqual([
      expect.objectContaining({
        line: FIRST_LINE + at,
        path: `${PART}.${path}`,
        message: expect.stringContaining(message),
      }),
    ])
  })

  test('refuse the status of a part that is a list', async () => {
    const [mistake, ...others] = await mistakesIn(
      configOf([...EACH, 'timeout: 1s', '', '', '', ''].slice(0, 4)).replace(
        'a: { upstream: a, path: /a }',
        'a: { upstream: a, path: /a }\n            c: { upstream: a, path: "/{parts.b.status}" }',
      ),
    )
    expect(others).toEqual([])
    expect(mistake).toMatchObject({ line: 11, message: expect.stringContaining('of which only the body can be read') })
  })

  test('refuse to wait for optional parts where there are none', async () => {
    const config = configOf([...PLAIN, 'required: true'], 'wait-for-optional: 1s').replace(
      'path: /a }',
      'path: /a, required: true }',
    )
    expect(await mistakesIn(config)).toEqual([
      expect.objectContaining({ line: 15, message: 'is never used: every part is required' }),
    ])
  })

  test('need somebody who knows the caller where a call names them', async () => {
    expect(await mistakesIn(configOf([...PLAIN, 'headers: { x-user: "{claims.sub}" }']))).toEqual([
      expect.objectContaining({ message: expect.stringContaining('put "jwt" or "api-key" before it') }),
    ])
  })
})
