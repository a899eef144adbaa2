import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { JSON_TYPE, openPage } from './test-page.ts'

const REPLIES = {
  ok: () => new Response('{"x":"v"}', { headers: JSON_TYPE }),
  'not-found': () => new Response(null, { status: 404 }),
  garbage: () => new Response('{', { headers: JSON_TYPE }),
  refused: () => new TypeError('refused'),
} as const

type Kind = keyof typeof REPLIES

const ERRORS: Readonly<Record<Exclude<Kind, 'ok'>, string>> = {
  'not-found': 'error="status";status=404',
  garbage: 'error="invalid-response"',
  refused: 'error="unreachable"',
}

interface Node {
  readonly reply: Kind
  readonly hasFallback: boolean
  readonly required: boolean
  /** Positions of the parts it reads; those that do not come before it are left out, so that there is no cycle. */
  readonly reads: readonly number[]
}

const node = fc.record({
  reply: fc.constantFrom<Kind>('ok', 'ok', 'not-found', 'garbage', 'refused'),
  hasFallback: fc.boolean(),
  required: fc.constant(false),
  reads: fc.uniqueArray(fc.nat(4), { maxLength: 2 }),
})
const graph = fc.array(node, { minLength: 1, maxLength: 6 })
const order = fc.array(fc.nat(1_000), { minLength: 12, maxLength: 12 })

const inputsOf = ({ reads }: Node, index: number) => reads.filter((read) => read < index)
const nameOf = (index: number) => `p${index}`

function partsOf(nodes: readonly Node[]) {
  const parts = nodes.map((each, index) => {
    const inputs = inputsOf(each, index).map((read) => `{parts.${nameOf(read)}.body.x}`)
    const options = {
      path: `/${['at', ...inputs].join('/')}`,
      ...(each.required && { required: true }),
      ...(each.hasFallback && !each.required && { fallback: { x: 'f' } }),
    }
    return [nameOf(index), options] as const
  })
  // Last first, so that most parts stand before what they read.
  return Object.fromEntries(parts.reverse())
}

/** Serves the graph; whoever waits answers in the order of `turns`. */
async function serve(nodes: readonly Node[], turns: readonly number[]) {
  const page = await openPage({ parts: partsOf(nodes) })
  const answer = page.fetch()
  await page.clock.advance(0)
  for (let turn = 0; page.waiting.length > 0; turn++) {
    const { waiting } = page
    const next = waiting[(turns[turn] ?? 0) % waiting.length] ?? ''
    const kind = nodes[Number(next.slice(1))]?.reply ?? 'ok'
    if (page.requestTo(next).signal.aborted) break
    await page.answer(next, REPLIES[kind]())
  }
  const response = await answer
  return {
    status: response.status,
    text: await response.text(),
    parts: response.headers.get('composition-status')?.replace(/;dur=\d+/g, ''),
    complete: response.headers.get('composition-complete'),
    asked: page.asked,
  }
}

/** What the parts come to when they are worked out one after the other. */
function reference(nodes: readonly Node[]) {
  const outcomes: { status: string; json: string | undefined }[] = []
  for (const [index, each] of nodes.entries()) {
    const inputFailed = inputsOf(each, index).some((read) => outcomes[read]?.json === undefined)
    const error = inputFailed ? 'error="input"' : each.reply === 'ok' ? undefined : ERRORS[each.reply]
    const name = nameOf(index)
    if (error === undefined) outcomes.push({ status: `${name};ok`, json: '{"x":"v"}' })
    else if (each.hasFallback) outcomes.push({ status: `${name};fallback;${error}`, json: '{"x":"f"}' })
    else outcomes.push({ status: `${name};failed;${error}`, json: undefined })
  }
  const inFileOrder = outcomes.map((outcome, index) => ({ ...outcome, name: nameOf(index) })).reverse()
  const hasReply = outcomes.some(({ status }) => status.endsWith(';ok'))
  return {
    status: hasReply || outcomes.every(({ json }) => json !== undefined) ? 200 : 502,
    text: `{${inFileOrder.flatMap(({ name, json }) => (json === undefined ? [] : [`"${name}":${json}`])).join(',')}}`,
    parts: inFileOrder.map(({ status }) => status).join(', '),
    complete: outcomes.every(({ status }) => status.endsWith(';ok')) ? '?1' : '?0',
  }
}

const RUNS = 60
const LIMIT_MS = 60_000

describe('an aggregate, whatever the order of replies and failures', () => {
  test(
    'gives what a sequential reference gives, and asks for no part twice',
    async () => {
      await fc.assert(
        fc.asyncProperty(graph, order, async (nodes, turns) => {
          const served = await serve(nodes, turns)
          const expected = reference(nodes)
          expect(served.status).toBe(expected.status)
          expect(served.parts).toBe(expected.parts)
          expect(served.complete).toBe(expected.complete)
          if (expected.status === 200) expect(served.text).toBe(expected.text)
          expect(new Set(served.asked).size).toBe(served.asked.length)
        }),
        { numRuns: RUNS },
      )
    },
    LIMIT_MS,
  )

  test(
    'gives the same bytes',
    async () => {
      await fc.assert(
        fc.asyncProperty(graph, order, order, async (nodes, turns, otherTurns) => {
          const { asked: _, ...one } = await serve(nodes, turns)
          const { asked: __, ...other } = await serve(nodes, otherTurns)
          expect(other).toEqual(one)
        }),
        { numRuns: RUNS },
      )
    },
    LIMIT_MS,
  )

  test(
    'fails with its one required part, and not without',
    async () => {
      await fc.assert(
        fc.asyncProperty(graph, order, fc.nat(5), async (nodes, turns, pick) => {
          const chosen = pick % nodes.length
          const marked = nodes.map((each, index) =>
            index === chosen ? { ...each, required: true, hasFallback: false } : each,
          )
          const { status, parts } = await serve(marked, turns)
          const expected =
            reference(marked)
              .parts.split(', ')
              .find((part) => part.startsWith(`${nameOf(chosen)};`)) ?? ''
          expect(status).toBe(expected.includes(';ok') ? 200 : 502)
          expect(parts?.split(', ')).toContain(expected)
        }),
        { numRuns: RUNS },
      )
    },
    LIMIT_MS,
  )
})
