import { describe, expect, test } from 'bun:test'
import { mistakesIn, part } from './test-mistakes.ts'

/** What is told of the options of a part `a`, as `path: message`. */
async function toldOf(options: string): Promise<string[]> {
  const mistakes = await mistakesIn(['parts:', part('a', options), part('b')])
  return mistakes.map(
    ({ path, message }) => `${path.replace('routes.page.policies[0].aggregate.parts.a.', '')}: ${message}`,
  )
}

const WRITE = (more: string) => `method: POST, compensate: { path: /x, ${more} }`

describe('an option that is a list', () => {
  test.each([
    { option: 'after: b', told: 'after: expected a list as in [b], found "b"' },
    { option: 'success: 200', told: 'success: expected a list as in [200], found 200' },
    { option: 'success: "2xx, 404"', told: 'success: expected a list as in [2xx, 404], found "2xx, 404"' },
    { option: 'required: true, pass-status: 404', told: 'pass-status: expected a list as in [404], found 404' },
    { option: 'pick: price.net', told: 'pick: expected a list as in [price.net], found "price.net"' },
    { option: 'omit: name', told: 'omit: expected a list as in [name], found "name"' },
    { option: 'content-type: text/csv', told: 'content-type: expected a list as in [text/csv], found "text/csv"' },
    { option: 'response-headers: x-a', told: 'response-headers: expected a list as in [x-a], found "x-a"' },
    { option: 'as: { xml: { lists: item } }', told: 'as.xml.lists: expected a list as in [item], found "item"' },
    { option: 'when: { query.x: { in: a } }', told: 'when.query.x.in: expected a list as in [a], found "a"' },
    { option: WRITE('success: 204'), told: 'compensate.success: expected a list as in [204], found 204' },
    {
      option: WRITE('keep-headers: cookie'),
      told: 'compensate.keep-headers: expected a list as in [cookie], found "cookie"',
    },
    { option: 'pick: "a: b"', told: 'pick: expected a list, found "a: b"' },
    { option: 'pick: { a: b }', told: 'pick: expected a list, found a mapping with "a"' },
    { option: 'pick: true', told: 'pick: expected a list, found true' },
  ])('is shown as it was meant where it has no brackets: $option', async ({ option, told }) => {
    expect(await toldOf(option)).toEqual([told])
  })
})

describe('an option that is a mapping', () => {
  test.each([
    { option: 'query: page=1', told: 'query: expected values by name, as in { page: "{query.page}" }, found text' },
    { option: 'headers: [x-a]', told: 'headers: expected values by name, as in { x-shop: main }, found a list' },
    { option: 'rename: sku', told: 'rename: expected new names by old ones, as in { meta.sku: id }, found text' },
    {
      option: 'for-each: "{body}", batch: sku',
      told: 'batch: expected how items are asked for together, as in { key: "{item.sku}", join: sku }, found text',
    },
  ])('is shown by an example, and a text in its place is not: $option', async ({ option, told }) => {
    expect(await toldOf(option)).toEqual([told])
  })

  test.each([
    {
      lines: ['parts:', '  - { upstream: u, path: /a }'],
      told: 'expected the parts by name, as in { products: { upstream: catalog, path: /products } }, found a list',
    },
    {
      lines: ['parts: { a: /a }'],
      told: 'expected a part, as in { upstream: catalog, path: /products }, found text',
    },
    {
      lines: ['static: x', 'parts:', part('a')],
      told: 'expected members for each kind of answer, as in { always: { version: 1 } }, found text',
    },
    {
      lines: ['static: { always: [x] }', 'parts:', part('a')],
      told: 'expected members by name, as in { version: 1 }, found a list',
    },
    { lines: ['etag: true'], told: 'is missing: expected a mapping' },
  ])('is shown by an example for the whole answer: $told', async ({ lines, told }) => {
    expect((await mistakesIn(lines)).map(({ message }) => message)).toEqual([told])
  })
})

describe('a key that is near no other', () => {
  test('is told with those that there are, when they are few', async () => {
    expect(await toldOf('when: { query.x: { equals: 1, exists: true } }')).toEqual([
      'when.query.x.equals: unknown key "equals": expected one of exists, in, not, above, below, at-least, at-most',
    ])
  })

  test('is told alone when they are many', async () => {
    expect(await toldOf('colour: red')).toEqual(['colour: unknown key "colour"'])
  })
})
