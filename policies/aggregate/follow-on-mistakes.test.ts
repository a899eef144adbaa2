import { describe, expect, test } from 'bun:test'
import { ConfigError } from '../../gateway/config/mistake.ts'
import { openPage } from './test-page.ts'

/** The mistakes in some parts, each as `path: message`. */
async function told(parts: object, settings: object = {}): Promise<readonly string[]> {
  const config = JSON.stringify({
    version: 1,
    upstreams: { u: { url: 'http://u.test' } },
    routes: { page: { path: '/page', methods: ['POST'], policies: [{ aggregate: { ...settings, parts } }] } },
  })
  const error = await openPage({ config }).catch((reason: unknown) => reason)
  if (!(error instanceof ConfigError)) throw new Error('The configuration was accepted')
  return error.mistakes.map(({ path, message }) => `${path.split('aggregate.')[1]}: ${message}`)
}

const read = (more: object = {}) => ({ upstream: 'u', path: '/x', ...more })
const write = (more: object = {}) => read({ method: 'PUT', compensate: 'none', ...more })
const undoneBy = (path: string) => ({ compensate: { method: 'DELETE', path } })
const unordered = (earlier: string, later: string) =>
  `parts.${later}: "${earlier}" and "${later}" both write, and nothing says which comes first: add "after: [${earlier}]"`

describe('a misspelt part is told once, and nothing that follows from it', () => {
  const UNKNOWN = 'unknown part "oder"'
  const MEANT = 'did you mean "order"?'

  test.each([
    {
      name: 'which a write comes after',
      parts: { order: write(), pay: write({ after: ['oder'] }), mail: write({ after: ['pay'] }) },
      mistake: `parts.pay.after[0]: ${UNKNOWN}; ${MEANT}`,
    },
    {
      name: 'which a write reads',
      parts: { order: write(), pay: write({ path: '/{parts.oder.body.id}' }) },
      mistake: `parts.pay.path: ${UNKNOWN} in "parts.oder.body.id"; ${MEANT}`,
    },
    {
      name: 'which a write depends on',
      parts: { order: write(), pay: write({ when: { 'parts.oder.status': 200 } }) },
      mistake: `parts.pay.when.parts.oder.status: ${UNKNOWN} in "parts.oder.status"; ${MEANT}`,
    },
    {
      name: 'which a write comes after whose compensation reads it',
      parts: { order: write(), pay: write({ after: ['oder'], ...undoneBy('/{parts.order.body.id}') }) },
      mistake: `parts.pay.after[0]: ${UNKNOWN}; ${MEANT}`,
    },
    {
      name: 'which others come after, by way of a part that reads it',
      parts: { order: write(), look: read({ after: ['oder'] }), pay: write({ after: ['look'] }) },
      mistake: `parts.look.after[0]: ${UNKNOWN}; ${MEANT}`,
    },
    {
      name: 'which is read of a hidden one',
      parts: { order: read({ hidden: true }), pay: read({ path: '/{parts.oder.body.id}' }) },
      mistake: `parts.pay.path: ${UNKNOWN} in "parts.oder.body.id"; ${MEANT}`,
    },
    {
      name: 'which is awaited of a hidden one',
      parts: { order: read({ hidden: true }), pay: read({ after: ['oder'] }) },
      mistake: `parts.pay.after[0]: ${UNKNOWN}; ${MEANT}`,
    },
    {
      name: 'which one path reads twice',
      parts: { order: read(), pay: read({ path: '/{parts.oder.body.a}/{parts.oder.body.b}' }) },
      mistake: `parts.pay.path: ${UNKNOWN} in "parts.oder.body.a"; ${MEANT}`,
    },
    {
      name: 'which the path of a compensation reads twice',
      parts: { order: write(undoneBy('/{parts.oder.body.a}/{parts.oder.body.b}')) },
      mistake: `parts.order.compensate.path: ${UNKNOWN} in "parts.oder.body.a"; ${MEANT}`,
    },
  ])('$name', async ({ parts, mistake }) => {
    expect(await told(parts)).toEqual([mistake])
  })

  test('but every place it stands in', async () => {
    const parts = { order: read(), pay: read({ after: ['oder'], query: { a: '{parts.oder.body}' } }) }
    expect(await told(parts)).toHaveLength(2)
  })

  test('but what is wrong whatever it means', async () => {
    const parts = {
      order: write(),
      pay: write({ after: ['oder'] }),
      mail: write(),
      log: read({ path: '/{parts.log.body}' }),
      note: write({ after: ['mial'], ...undoneBy('/{item.id}') }),
    }
    expect((await told(parts)).toSorted()).toEqual([
      'parts.log.path: "log" reads its own reply',
      unordered('order', 'mail'),
      'parts.note.after[0]: unknown part "mial"; did you mean "mail"?',
      'parts.note.compensate.path: "item.id" has no value here',
      `parts.pay.after[0]: ${UNKNOWN}; ${MEANT}`,
    ])
  })
})

describe('parts that wait for each other are told once', () => {
  test.each([
    {
      name: 'a write for itself',
      parts: { order: write(), pay: write({ after: ['pay'] }) },
      mistake: 'parts.pay.after[0]: "pay" waits for itself',
    },
    {
      name: 'two, before a write',
      parts: {
        order: write(),
        a: read({ after: ['b'] }),
        b: read({ after: ['a'] }),
        pay: write({ after: ['b'], ...undoneBy('/{parts.order.body.id}') }),
      },
      mistake: 'parts.a.after[0]: parts wait for each other: a reads b reads a',
    },
  ])('$name', async ({ parts, mistake }) => {
    expect(await told(parts)).toEqual([mistake])
  })
})

describe('the order of writes', () => {
  test('is asked for once where the others follow from it', async () => {
    const parts = {
      order: write(),
      pay: write(undoneBy('/{parts.order.body.id}')),
      mail: write({ after: ['pay'] }),
    }
    expect(await told(parts)).toEqual([unordered('order', 'pay')])
  })

  test('is right once all that was said is done', async () => {
    const parts = {
      order: write({ after: ['pay'] }),
      pay: write(),
      mail: write(),
      log: write(),
    }
    expect(await told(parts)).toEqual([unordered('order', 'mail'), unordered('mail', 'log')])
    const done = { ...parts, mail: write({ after: ['order'] }), log: write({ after: ['mail', 'none'] }) }
    expect(await told(done)).toEqual(['parts.log.after[1]: unknown part "none"'])
  })
})
