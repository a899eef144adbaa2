import { describe, expect, test } from 'bun:test'
import { compositionOf, JSON_TYPE, openPage } from './test-page.ts'

const text = (json: string) => () => new Response(json, { headers: JSON_TYPE })

/** What a transform makes of a reply; the cause in the log when it fails. */
async function transformed(expression: string, reply: string, options: object = {}) {
  const page = await openPage({
    parts: { a: { transform: expression, ...options }, z: {} },
    answers: { a: text(reply), z: 1 },
  })
  const answer = await (await page.fetch()).text()
  const failure = JSON.stringify(page.records).match(/"error":"(shape)","cause":("(?:[^"\\]|\\.)*")/)
  return failure ? `${failure[1]}: ${JSON.parse(failure[2] ?? '')}` : answer.replace(/^\{"a":(.*),"z":1\}$/s, '$1')
}

describe('a transform of a part', () => {
  test.each([
    {
      expression: 'items[price > 10].sku',
      reply: '{"items":[{"sku":"A","price":9},{"sku":"B","price":11}]}',
      gives: '"B"',
    },
    {
      expression: '[items.{"id": sku, "n": $string(n)}]',
      reply: '{"items":[{"sku":"A","n":1}]}',
      gives: '[{"id":"A","n":"1"}]',
    },
    { expression: '$sum(items.n)', reply: '{"items":[{"n":1.5},{"n":2}]}', gives: '3.5' },
    { expression: '{"all": $append(a, b)}', reply: '{"a":[1],"b":[2,3]}', gives: '{"all":[1,2,3]}' },
    {
      expression: '$ ~> |items|{"new": true}, ["old"]|',
      reply: '{"items":{"old":1,"x":2}}',
      gives: '{"items":{"x":2,"new":true}}',
    },
    {
      expression: '( $f := function($n){ $n < 2 ? 1 : $n * $f($n - 1) }; $f(n) )',
      reply: '{"n":10}',
      gives: '3628800',
    },
    { expression: 'nothing', reply: '{}', gives: 'null' },
    { expression: '{"x": nothing, "y": null}', reply: '{}', gives: '{"y":null}' },
    { expression: '$pad("x", 3, "-") & $pad("y", -3) & $pad("long", 2)', reply: '{}', gives: '"x--  ylong"' },
    { expression: '$join(["a","b"], ", ") & $join("c")', reply: '{}', gives: '"a, bc"' },
    {
      expression: '$replace("a.b.c", ".", "-") & $replace("a.b.c", ".", "$1", 1)',
      reply: '{}',
      gives: '"a-b-ca$1b.c"',
    },
    { expression: '$distinct([1, "1", 1, {"a":1,"b":2}, {"b":2,"a":1}])', reply: '{}', gives: '[1,"1",{"a":1,"b":2}]' },
    {
      expression: '[$sort([3, 1, 2]), $sort(["b", "a", "B"]), $sort(7), $sort([])]',
      reply: '{}',
      gives: '[1,2,3,"B","a","b",7]',
    },
    {
      expression: '$sort(list, function($a, $b){ $a.n > $b.n }).t',
      reply: '{"list":[{"n":2,"t":"a"},{"n":1,"t":"b"},{"n":2,"t":"c"},{"n":1,"t":"d"},{"n":0,"t":"e"}]}',
      gives: '["e","b","d","a","c"]',
    },
    {
      expression: '( $dash := $join(?, "-"); $plain := $replace(?, "-", ""); [$dash(["a","b"]), $plain("c-d")] )',
      reply: '{}',
      gives: '["a-b","cd"]',
    },
    { expression: '$formatNumber(n, "#,##0.00")', reply: '{"n":1234.5}', gives: '"1,234.50"' },
    { expression: 'n ~> $formatNumber("#0.0")', reply: '{"n":1}', gives: '"1.0"' },
    {
      expression: '$fromMillis($toMillis("2026-01-01T00:00:00Z"), "[D01].[M01].[Y0001]")',
      reply: '{}',
      gives: '"01.01.2026"',
    },
    { expression: 'items@$i.{"n": $i.n}', reply: '{"items":[{"n":1},{"n":2}]}', gives: '[{"n":1},{"n":2}]' },
  ])('makes $gives of $reply: $expression', async ({ expression, reply, gives }) => {
    expect(await transformed(expression, reply)).toBe(gives)
  })

  test('comes after the rest of the shape', async () => {
    const options = { take: 'data', pick: ['n'], rename: { n: 'm' } }
    expect(await transformed('$merge([$, {"keys": $keys($)}])', '{"data":{"n":1,"x":2}}', options)).toBe(
      '{"m":1,"keys":"m"}',
    )
  })

  test('can be spread', async () => {
    expect(await transformed('{"n": n}', '{"n":1,"x":2}', { spread: true })).toBe('{"n":1,"z":1}')
    expect(await transformed('[n]', '{"n":1}', { spread: true })).toBe('shape: "spread" needs an object')
  })

  test.each([
    { name: 'an error of its own', expression: '$error("no " & n)', cause: 'no 1' },
    { name: 'a wrong type', expression: '$sum("x" & n)', cause: 'Argument 1 of function "sum"' },
    { name: 'a function', expression: '{"f": $sum}', cause: 'it gives a function' },
    { name: 'a function of its own', expression: '{"f": function($n){ $n }}', cause: 'it gives a function' },
    { name: 'a function made of another', expression: '{"f": function($n){ $n }(?)}', cause: 'it gives a function' },
    { name: 'sorting what has no order', expression: '$sort([1, "a"])', cause: '"$sort" of what is neither' },
    { name: 'a number that JSON does not have', expression: '1/0', cause: 'a number that JSON does not have' },
    { name: 'a number that was rounded', expression: 'id', cause: 'more digits than JavaScript keeps' },
  ])('fails its part for $name', async ({ expression, cause }) => {
    const failure = await transformed(expression, '{"n":1,"id":12345678901234567890}')
    expect(failure).toMatch(/^shape: the transform failed: /)
    expect(failure).toContain(cause)
  })

  test('lets the fallback stand in, and answers 502 where the part is required', async () => {
    const page = await openPage({
      parts: { a: { transform: '$error("secret")', fallback: 0 }, b: {} },
      answers: { a: {}, b: {} },
    })
    expect(await (await page.fetch()).text()).toBe('{"a":0,"b":{}}')
    const required = await openPage({
      parts: { a: { transform: '$error("secret")', required: true } },
      answers: { a: {} },
    })
    const response = await required.fetch()
    expect(response.status).toBe(502)
    expect(await response.text()).not.toContain('secret')
  })

  test('changes nothing of what is remembered, or of what others read', async () => {
    const page = await openPage({
      parts: {
        a: { cache: '1m', transform: '$ ~> |$|{"n": n + 1}|' },
        b: { path: '/{parts.a.body.n}' },
      },
      answers: { a: { n: 1 }, b: 0 },
    })
    for (let i = 0; i < 3; i++) expect(await (await page.fetch()).text()).toBe('{"a":{"n":2},"b":0}')
    expect(page.asked).toEqual(['a', 'b', 'b', 'b'])
    expect(page.requestTo('b').url).toBe('http://b.test/1')
  })

  test('takes keys that mean something to JavaScript for keys', async () => {
    const polluted = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":1}'
    expect(await transformed('$', polluted)).toBe(polluted)
    expect(await transformed('toString', polluted)).toBe('1')
    expect(await transformed('{"x": valueOf, "y": hasOwnProperty}', polluted)).toBe('{}')
    for (const expression of [
      '$merge([$, {"a": 1}])',
      '{"__proto__": {"polluted": 1}}',
      '$ ~> |$|{"__proto__": {"polluted": 1}}|',
      '$each($, function($v, $k) {{$k: $v}})',
      '{"constructor": {"prototype": {"polluted": 1}}}',
    ])
      await transformed(expression, polluted)
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
  })

  test('takes keys that mean something to JSONata for keys', async () => {
    const marked = '{"f":{"_jsonata_lambda":true,"_jsonata_function":true,"thunk":true,"environment":{"lookup":1}}}'
    expect(await transformed('f', marked)).toBe(marked.slice('{"f":'.length, -1))
    expect(await transformed('f(1)', marked)).toMatch(/^shape: the transform failed: /)
    expect(await transformed('(function($a){ $a.f })($)', marked)).toMatch(/^shape: the transform failed: /)
  })
})

describe('a transform that costs too much', () => {
  const LIST = JSON.stringify({
    list: Array.from({ length: 10_000 }, (_, i) => i),
    text: 'x'.repeat(200_000),
    marked: { _jsonata_lambda: true, text: 'x'.repeat(20_000) },
  })
  test.each([
    { name: 'runs without end', expression: '( $f := function(){ $f() }; $f() )', cause: 'steps' },
    { name: 'calls itself ever deeper', expression: '( $f := function(){ 1 + $f() }; $f() )', cause: 'Stack' },
    {
      name: 'takes each with each',
      expression: '$count($map(list, function($a){ $count(list[$ = $a]) }))',
      cause: 'steps',
    },
    { name: 'makes a list without end', expression: '[1..9999999]', cause: 'sequence' },
    { name: 'makes a list of lists', expression: '( $l := [1..40000]; $map($l, function($i){ $l }) )', cause: '' },
    { name: 'doubles a text', expression: '( $f := function($t){ $f($t & $t) }; $f(text) )', cause: 'characters' },
    { name: 'doubles a list', expression: '( $f := function($l){ $f([$l, $l]) }; $f(list) )', cause: 'sequence' },
    {
      name: 'doubles a value within itself',
      expression: '( $f := function($o, $n){ $n = 0 ? $o : $f({"a": $o, "b": $o}, $n - 1) }; $f(1, 40) )',
      cause: 'characters',
    },
    { name: 'pads a text', expression: '$pad("x", 1000000000)', cause: 'characters' },
    { name: 'joins with a long text', expression: '$join($map(list, $string), text)', cause: 'characters' },
    { name: 'replaces by a long text', expression: '$replace(text, "x", text)', cause: 'characters' },
    {
      name: 'walks a long list again and again',
      expression: '$map(list, function($i){ $count($$.list) })',
      cause: 'too',
    },
    { name: 'sorts by a function of JSONata', expression: '$sort($map(list, $string), $contains)', cause: 'steps' },
    {
      name: 'copies what only looks like a function',
      expression: '$map([1..500], function(){ {"m": $$.marked} })',
      cause: 'characters',
    },
    {
      name: 'splits texts into all their characters',
      expression: '$map(list, function($i){ $count($split($$.text, "")) })',
      cause: 'too',
    },
  ])('is given up: it $name', async ({ expression, cause }) => {
    const failure = await transformed(expression, LIST)
    expect(failure).toMatch(/^shape: the transform failed: /)
    expect(failure.toLowerCase()).toContain(cause.toLowerCase())
  })

  test('is given up when it takes too long, though it does little', async () => {
    let nowMs = 0
    const clock = { now: () => nowMs, monotonic: () => (nowMs += 400), after: () => () => {} }
    const page = await openPage({
      parts: { a: { transform: '$count($map([1..200], function($i){ $i + 1 }))' }, z: {} },
      answers: { a: {}, z: 1 },
      services: { clock },
    })
    expect(await (await page.fetch()).text()).toBe('{"z":1}')
    expect(JSON.stringify(page.records)).toContain('the transform failed: it takes more than 1000 ms')
  })

  test('gives no more than the part may have', async () => {
    expect(await transformed('[list, list]', LIST, { 'max-bytes': '300KiB' })).not.toContain('shape')
    const failure = await transformed('[$.{"a": text, "b": text}]', LIST, { 'max-bytes': '300KiB' })
    expect(failure).toContain('it gives more than 307200 bytes')
  })

  test('gives no more levels than a reply may have', async () => {
    const deep = '( $f := function($o, $n){ $n = 0 ? $o : $f({"a": $o}, $n - 1) }; $f(1, 70) )'
    expect(await transformed(deep, '{}')).toContain('it gives more than 64 levels')
  })

  test('sorts as many values as a reply can have', async () => {
    const list = Array.from({ length: 100_000 }, (_, i) => (i * 7_919) % 100_000)
    const sorted = JSON.parse(await transformed('$sort(list)', JSON.stringify({ list }))) as unknown[]
    expect(sorted).toEqual(list.map((_, i) => i))
  })

  test('is not given up for a thousand items', async () => {
    const items = Array.from({ length: 1_000 }, (_, i) => ({
      sku: `S${i}`,
      price: { net: i, vat: 1 },
      tags: ['a', 'b'],
    }))
    const expression = '[items.{"id": sku, "gross": price.net + price.vat, "tags": $join(tags, ",")}]'
    const made = JSON.parse(await transformed(expression, JSON.stringify({ items }))) as unknown[]
    expect(made).toHaveLength(1_000)
    expect(made[7]).toEqual({ id: 'S7', gross: 8, tags: 'a,b' })
  })
})

describe('a transform of the whole answer', () => {
  const failing = () => new Response(null, { status: 500 })

  test('gets the document, and what became of its parts', async () => {
    const page = await openPage({
      parts: { a: { pick: ['n'] }, b: {}, c: { hidden: true } },
      settings: {
        transform:
          '{"n": a.n, "hidden": $parts.c.body.x, "raw": $parts.a, "whole": $composition.complete, "missing": [$composition.missing]}',
      },
      answers: { a: { n: 1, x: 2 }, b: failing, c: { x: 3 } },
    })
    const response = await page.fetch()
    expect(await response.text()).toBe(
      '{"n":1,"hidden":3,"raw":{"body":{"n":1,"x":2},"status":200},"whole":false,"missing":["b"]}',
    )
    expect(compositionOf(response).complete).toBe(false)
  })

  test('is what the tag is made of', async () => {
    let n = 0
    const page = await openPage({
      parts: { a: {} },
      settings: { transform: '{"x": a.x}' },
      answers: { a: () => Response.json({ x: 1, n: n++ }) },
    })
    const tags = [await page.fetch(), await page.fetch()].map(({ headers }) => headers.get('etag'))
    expect(tags[0]).toBe(tags[1])
  })

  test('answers 502 when it fails, and tells operators why', async () => {
    const page = await openPage({
      parts: { a: {} },
      settings: { transform: 'a + 1' },
      answers: { a: text('"secret"') },
    })
    const response = await page.fetch()
    expect(response.status).toBe(502)
    expect(compositionOf(response).parts).toEqual({ a: { ok: true } })
    expect(await response.json()).toMatchObject({
      type: 'urn:sluice:problem:upstream-invalid-response',
      detail: 'The answer could not be made of the replies',
    })
    expect(page.records[0]?.cause).toContain('the transform failed: The left side of the "+" operator')
  })
})
