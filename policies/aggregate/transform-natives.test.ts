import { describe, expect, test } from 'bun:test'
import jsonata from 'jsonata'
import { JSON_TYPE, openPage } from './test-page.ts'

/** What a transform makes of a reply; the cause in the log when it fails. */
async function transformed(transform: string, reply: unknown): Promise<unknown> {
  const page = await openPage({
    parts: { a: { transform, 'max-bytes': '4MiB' }, z: {} },
    answers: { a: () => new Response(JSON.stringify(reply), { headers: JSON_TYPE }), z: 1 },
  })
  const { a } = (await (await page.fetch()).json()) as { a?: unknown }
  const failure = JSON.stringify(page.records).match(/"error":"shape","cause":("(?:[^"\\]|\\.)*")/)
  return failure ? { cause: JSON.parse(failure[1] ?? '') } : a
}

const list = (length: number, item: (i: number) => unknown) => ({ list: Array.from({ length }, (_, i) => item(i)) })

describe('a function of JSONata that is handed to another', () => {
  test.each([
    {
      name: 'is counted when it only fills up',
      expression: '$count($map(list, $pad("x", ?)))',
      reply: list(300, () => 1_000_000),
      cause: 'it walks too much of too long lists and texts',
    },
    {
      name: 'is counted when it copies what it has so far',
      expression: '$count($reduce(list, $append))',
      reply: list(20_000, (i) => i),
      cause: 'it walks too much of too long lists and texts',
    },
    {
      name: 'is counted when it searches a long text',
      expression: '$count($map(list, $contains($$.text, ?)))',
      reply: { ...list(1_000, (i) => `${i}`), text: 'x'.repeat(500_000) },
      cause: 'it walks too much of too long lists and texts',
    },
    {
      name: 'is a step each time',
      expression: '$count($map(list, $string))',
      reply: list(50_001, (i) => i),
      cause: 'it takes more than 50000 steps',
    },
  ])('$name', async ({ expression, reply, cause }) => {
    expect(await transformed(expression, reply)).toEqual({ cause: `the transform failed: ${cause}` })
  })
})

describe('a transform gives what JSONata gives', () => {
  test.each([
    '$map(list, $append)',
    '$map(list, $string)',
    '$map(list.a, $pad("x", ?, "-"))',
    '$map(["a", "d"], $contains("abc", ?))',
    '$map(["a", "bb"], $uppercase ~> $length)',
    '$map(["a"], function($x, $i, $all){ $count($all) })',
    '$reduce([1, 2, 3], $append)',
    '$reduce(["a", "b"], $join)',
    '$filter([0, 1], $boolean)',
    '$sift(one, $boolean)',
    '$each(one, $append)',
    '$zip([1, 2], [3, 4])',
    '[1, 2] ~> $sum',
    'list.a.$string()',
    '$spread(list)',
    '[$spread(list)]',
    '$spread(one)',
    '[$spread(one)]',
    '$spread([one])',
    '$spread([[one], list])',
    '$spread({})',
    '[$spread([])]',
    '$spread("text")',
    '$spread([1, {"a": 2}])',
    '$spread(missing)',
  ])('%s', async (expression) => {
    const reply = { list: [{ a: 1, b: 2 }, { a: 3 }], one: { k: 'v' } }
    const plain = (await jsonata(expression).evaluate(reply)) ?? null
    expect(await transformed(expression, reply)).toEqual(JSON.parse(JSON.stringify(plain)))
  })
})

test('a long list of mappings is spread in one go', async () => {
  expect(
    await transformed(
      '$count($spread(list))',
      list(60_000, (a) => ({ a })),
    ),
  ).toBe(60_000)
})
