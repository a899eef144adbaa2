import { describe, expect, test } from 'bun:test'
import { compositionOf, JSON_TYPE, openPage } from './test-page.ts'

/** One part `a` with the given options, whose upstream sends the given text; the answer as text. */
async function shaped(options: object, text: string, settings: object = {}) {
  const page = await openPage({
    parts: { a: options, z: {} },
    settings,
    answers: { a: () => new Response(text, { headers: JSON_TYPE }), z: { z: 1 } },
  })
  const response = await page.fetch()
  return { text: await response.text(), ...compositionOf(response), record: page.records[0] }
}

const answerWith = (a: string) => `{"a":${a},"z":{"z":1}}`

describe('the shape of a part', () => {
  test.each([
    {
      name: 'picks names, in the order of the reply',
      options: { pick: ['c', 'a'] },
      reply: '{"a":1,"b":2,"c":3}',
      shown: '{"a":1,"c":3}',
    },
    {
      name: 'picks inner names',
      options: { pick: ['a.b.c', 'a.d'] },
      reply: '{"a":{"b":{"c":1,"x":2},"d":[3],"x":4},"x":5}',
      shown: '{"a":{"b":{"c":1},"d":[3]}}',
    },
    {
      name: 'picks nothing where nothing of it is',
      options: { pick: ['q.r'] },
      reply: '{"a":1}',
      shown: '{}',
    },
    {
      name: 'picks of each entry of a list, however deep',
      options: { pick: ['items.sku'] },
      reply: '{"items":[{"sku":"A","x":1},[{"sku":"B","x":2}],null],"x":3}',
      shown: '{"items":[{"sku":"A"},[{"sku":"B"}],null]}',
    },
    {
      name: 'omits names, and inner ones of each entry of a list',
      options: { omit: ['b', 'items.secret'] },
      reply: '{"a":1,"b":2,"items":[{"secret":1,"n":1},7]}',
      shown: '{"a":1,"items":[{"n":1},7]}',
    },
    {
      name: 'renames, in place',
      options: { rename: { b: 'beta', 'in.x': 'y' } },
      reply: '{"a":1,"b":2,"in":{"x":3},"c":4}',
      shown: '{"a":1,"beta":2,"in":{"y":3},"c":4}',
    },
    {
      name: 'means the renamed value by a name that the reply has too',
      options: { rename: { a: 'b' } },
      reply: '{"b":1,"a":2}',
      shown: '{"b":2}',
    },
    {
      name: 'keeps a name when what should replace it is not there',
      options: { rename: { a: 'b' } },
      reply: '{"b":1}',
      shown: '{"b":1}',
    },
    {
      name: 'swaps two names',
      options: { rename: { a: 'b', b: 'a' } },
      reply: '{"a":1,"b":2}',
      shown: '{"b":1,"a":2}',
    },
    {
      name: 'takes a value out of its envelope, then picks, omits and renames in it',
      options: { take: 'data.item', pick: ['id', 'price'], omit: ['price.net'], rename: { id: 'sku' } },
      reply: '{"data":{"item":{"id":7,"price":{"net":1,"gross":2},"x":0}},"meta":{}}',
      shown: '{"sku":7,"price":{"gross":2}}',
    },
    {
      name: 'lets null be null',
      options: { pick: ['a'] },
      reply: 'null',
      shown: 'null',
    },
    {
      name: 'keeps every digit and every byte of what stays',
      options: { pick: ['id', 'rate', 'text'] },
      reply: '{ "id" : 12345678901234567890, "rate":1.10, "x": 1, "text":"\\u00e9 \\"}" }',
      shown: '{"id":12345678901234567890,"rate":1.10,"text":"\\u00e9 \\"}"}',
    },
    {
      name: 'takes a list for the answer of a part',
      options: { take: 'items' },
      reply: '{"items":[1,2]}',
      shown: '[1,2]',
    },
  ])('$name', async ({ options, reply, shown }) => {
    const { text, complete } = await shaped(options, reply)
    expect(text).toBe(answerWith(shown))
    expect(complete).toBe(true)
  })

  test.each([
    { name: 'an envelope without the value', options: { take: 'data.x' }, reply: '{"data":{}}', cause: 'no "data.x"' },
    { name: 'an envelope that is a list', options: { take: 'data' }, reply: '[]', cause: 'the reply has no "data"' },
    { name: 'a text to pick of', options: { pick: ['a'] }, reply: '"secret"', cause: '"pick" found a value' },
    { name: 'a text deep inside', options: { pick: ['a.b'] }, reply: '{"a":["s"]}', cause: '"pick" found a value' },
    { name: 'a list to spread', options: { spread: true }, reply: '[]', cause: '"spread" needs an object' },
  ])('fails for $name, and says why in the log', async ({ options, reply, cause }) => {
    const { text, parts, record } = await shaped(options, reply)
    expect(text).toBe('{"z":{"z":1}}')
    expect(parts.a).toEqual({ failed: true, error: 'shape' })
    expect(record).toMatchObject({
      policies: { aggregate: { failed: [{ part: 'a', error: 'shape', cause: expect.stringContaining(cause) }] } },
    })
  })

  test('has its fallback stand in, as it is written', async () => {
    const { text, parts } = await shaped({ pick: ['a'], rename: { a: 'b' }, fallback: { b: 0, c: 1 } }, '"x"')
    expect(text).toBe(answerWith('{"b":0,"c":1}'))
    expect(parts.a).toEqual({ fallback: true, error: 'shape' })
  })

  test('changes nothing of the fallback of a part that failed', async () => {
    const page = await openPage({
      parts: { a: { pick: ['n'], rename: { n: 'm' }, fallback: { m: 0, x: 1 } }, z: {} },
      answers: { a: () => new Response(null, { status: 500 }), z: 1 },
    })
    expect(await (await page.fetch()).text()).toBe('{"a":{"m":0,"x":1},"z":1}')
  })

  test('answers 502 when a required reply does not have it', async () => {
    const page = await openPage({ parts: { a: { take: 'data', required: true } }, answers: { a: {} } })
    const response = await page.fetch()
    expect(response.status).toBe(502)
    expect(await response.json()).toMatchObject({
      detail: 'The part "a" failed: shape',
      parts: [{ name: 'a', error: 'shape' }],
    })
  })

  test('is for the answer alone: others read the reply as it came', async () => {
    const page = await openPage({
      parts: { a: { take: 'data', pick: ['name'] }, b: { path: '/b/{parts.a.body.data.sku}' } },
      answers: { a: { data: { name: 'Mug', sku: 'M1' } }, b: {} },
    })
    expect(await (await page.fetch()).text()).toBe('{"a":{"name":"Mug"},"b":{}}')
    expect(page.requestTo('b').url).toBe('http://b.test/b/M1')
  })

  test('is that of each entry of a list asked item by item, fallbacks of items included', async () => {
    const page = await openPage({
      parts: {
        a: {
          path: '/{item}',
          'for-each': { items: '{body.ids}', fallback: { n: 0, x: 0 } },
          pick: ['n'],
        },
      },
      answers: {
        a: ({ url }) => (url.endsWith('/2') ? new Response(null, { status: 404 }) : Response.json({ n: 1, x: 2 })),
      },
    })
    const response = await page.fetch('/page/1', { method: 'POST', body: '{"ids":[1,2]}' })
    expect(await response.text()).toBe('{"a":[{"n":1},{"n":0}]}')
  })

  test('is that of a stale reply too', async () => {
    let calls = 0
    const page = await openPage({
      parts: { a: { pick: ['n'], 'fallback-to': 'stale' }, z: {} },
      answers: { a: () => (++calls > 1 ? new Response(null, { status: 500 }) : Response.json({ n: 1, x: 2 })), z: 1 },
    })
    await page.fetch()
    const response = await page.fetch()
    expect(await response.text()).toBe('{"a":{"n":1},"z":1}')
    expect(compositionOf(response).parts.a).toMatchObject({ fallback: true, stale: true })
  })
})

describe('an answer with places', () => {
  test('leaves hidden parts out, and lists what became of them', async () => {
    const page = await openPage({
      parts: { user: { hidden: true }, orders: { path: '/of/{parts.user.body.id}' } },
      answers: { user: { id: 7 }, orders: [1] },
    })
    const response = await page.fetch()
    expect(await response.text()).toBe('{"orders":[1]}')
    expect(compositionOf(response).parts).toEqual({ user: { ok: true }, orders: { ok: true } })
  })

  test('groups parts under one name, where the first of them stands; without any there is no group', async () => {
    const parts = { a: {}, b: { group: 'more' }, c: {}, d: { group: 'more', spread: true } }
    const page = await openPage({ parts, answers: { a: { n: 1 }, b: [2], c: { n: 3 }, d: { x: 4, y: 5 } } })
    expect(await (await page.fetch()).text()).toBe('{"a":{"n":1},"more":{"b":[2],"x":4,"y":5},"c":{"n":3}}')
    const broken = () => new Response(null, { status: 500 })
    const without = await openPage({ parts, answers: { a: {}, b: broken, c: {}, d: broken } })
    expect(await (await without.fetch()).text()).toBe('{"a":{},"c":{}}')
  })

  test('adds members to every answer, to whole ones and to others', async () => {
    let status = 200
    const page = await openPage({
      parts: { a: {}, b: {} },
      settings: { static: { always: { v: 2 }, complete: { note: null }, incomplete: { note: 'some missing' } } },
      answers: { a: {}, b: () => Response.json({}, { status }) },
    })
    expect(await (await page.fetch()).text()).toBe('{"a":{},"b":{},"v":2,"note":null}')
    status = 500
    expect(await (await page.fetch()).text()).toBe('{"a":{},"v":2,"note":"some missing"}')
  })
})
