import { describe, expect, test } from 'bun:test'
import { compositionOf, JSON_TYPE, openPage } from './test-page.ts'

const json = (text: string) => () => new Response(text, { headers: JSON_TYPE })

describe('the template of a whole answer', () => {
  test('puts values where it says, each with its JSON type and all its digits', async () => {
    const page = await openPage({
      parts: { product: {}, price: {} },
      settings: {
        body: {
          id: '{params.id}',
          name: '{parts.product.body.name}',
          price: {
            amount: '{parts.price.body.amount}',
            id: '{parts.price.body.id}',
            text: 'CHF {parts.price.body.amount}',
          },
          all: '{parts.product.body}',
          tags: ['{parts.product.body.tags}', 'fixed', 3, null, true],
          first: '{parts.price.status}',
        },
      },
      answers: {
        product: json('{ "name":"Mug", "tags":["a"], "x":{"y": 1.0} }'),
        price: json('{"amount":1.10,"id":12345678901234567890}'),
      },
    })
    expect(await (await page.fetch('/page/7')).text()).toBe(
      '{"id":"7","name":"Mug","price":{"amount":1.10,"id":12345678901234567890,"text":"CHF 1.10"},' +
        '"all":{ "name":"Mug", "tags":["a"], "x":{"y": 1.0} },"tags":[["a"],"fixed",3,null,true],"first":200}',
    )
  })

  test('leaves out keys without a value, and has null for entries without one', async () => {
    const page = await openPage({
      parts: { a: {}, b: { fallback: { n: 0 } } },
      settings: {
        body: { x: '{parts.a.body.nope}', y: ['{parts.a.body.x.y}'], z: 'n={parts.a.body.n}', b: '{parts.b.body.n}' },
      },
      answers: { a: { n: null }, b: () => new Response(null, { status: 500 }) },
    })
    expect(await (await page.fetch()).text()).toBe('{"y":[null],"z":"n=","b":0}')
  })

  test('can say whether the answer is whole, and what is missing', async () => {
    const page = await openPage({
      parts: { a: {}, b: {}, c: { fallback: 1 } },
      settings: { body: { a: '{parts.a.body}', whole: '{composition.complete}', missing: '{composition.missing}' } },
      answers: { a: 1, b: () => new Response(null, { status: 500 }), c: () => new Response(null, { status: 404 }) },
    })
    const response = await page.fetch()
    expect(await response.text()).toBe('{"a":1,"whole":false,"missing":["b","c"]}')
    expect(compositionOf(response).complete).toBe(false)
  })

  test('may be one value', async () => {
    const page = await openPage({
      parts: { a: {} },
      settings: { body: '{parts.a.body.items}' },
      answers: { a: json('{"items":[ 1 ]}') },
    })
    expect(await (await page.fetch()).text()).toBe('[ 1 ]')
    const empty = await openPage({ parts: { a: {} }, settings: { body: '{parts.a.body.items}' }, answers: { a: {} } })
    expect(await (await empty.fetch()).text()).toBe('null')
  })

  test('reads the JSON body of the request, but repeats no number that it cannot keep', async () => {
    const page = await openPage({ parts: { a: {} }, settings: { body: { id: '{body.id}' } }, answers: { a: 1 } })
    const ask = (body: string) => page.fetch('/page/1', { method: 'POST', body })
    expect(await (await ask('{"id":9007199254740991}')).text()).toBe('{"id":9007199254740991}')
    expect((await ask('{"id":9007199254740993}')).status).toBe(400)
  })
})

describe('keys that mean something to JavaScript', () => {
  const POLLUTED =
    '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":1,"x":{"__proto__":2}}'
  test.each([
    { name: 'as they come', part: {}, expected: `{"a":${POLLUTED}}` },
    {
      name: 'picked',
      part: { pick: ['__proto__', 'constructor.prototype.polluted', 'x.__proto__'] },
      expected: '{"a":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"x":{"__proto__":2}}}',
    },
    {
      name: 'left out',
      part: { omit: ['__proto__', 'constructor'] },
      expected: '{"a":{"toString":1,"x":{"__proto__":2}}}',
    },
    {
      name: 'renamed',
      part: { pick: ['toString', 'x'], rename: { 'x.__proto__': 'p', toString: 'hasOwnProperty' } },
      expected: '{"a":{"hasOwnProperty":1,"x":{"p":2}}}',
    },
    { name: 'taken', part: { take: '__proto__' }, expected: '{"a":{"polluted":1}}' },
    { name: 'spread', part: { spread: true }, expected: POLLUTED },
    { name: 'grouped', part: { group: 'constructor', spread: true }, expected: `{"constructor":${POLLUTED}}` },
  ])('are keys like others, $name', async ({ part, expected }) => {
    const page = await openPage({ parts: { a: part }, answers: { a: json(POLLUTED) } })
    expect(await (await page.fetch()).text()).toBe(expected)
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
  })

  test('are found by templates where they are, and nowhere else', async () => {
    const page = await openPage({
      parts: { a: {} },
      settings: {
        body: { own: '{parts.a.body.__proto__.polluted}', none: '{parts.a.body.x.constructor}', toString: 1 },
      },
      answers: { a: json(POLLUTED) },
    })
    expect(await (await page.fetch()).text()).toBe('{"own":1,"toString":1}')
  })
})
