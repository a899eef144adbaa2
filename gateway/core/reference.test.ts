import { describe, expect, test } from 'bun:test'
import { parseReference, ReferenceMistake } from './reference.ts'
import { extendScope, readCookie, type Scope } from './scope.ts'

const scope: Scope = {
  params: { id: '7' },
  query: (name) => (name === 'q' ? 'query' : undefined),
  header: (name) => (name === 'x-a' ? 'header' : undefined),
  cookie: (name) => (name === 'sid' ? 'cookie' : undefined),
  claims: { sub: 'alice', 'https://a': 1, deep: { er: [10, { est: true }] } },
  clientIp: '192.0.2.1',
  clientId: 'alice',
  route: 'item',
  body: { items: [{ sku: 'a' }] },
}

const read = (source: string, from = scope) => parseReference(source).read(from)

describe('a reference', () => {
  for (const [source, value] of [
    ['params.id', '7'], ['query.q', 'query'], ['headers.x-a', 'header'], ['cookies.sid', 'cookie'], ['claims.sub', 'alice'], ['client.ip', '192.0.2.1'],
    ['client.id', 'alice'], ['route.id', 'item'], ['body.items.0.sku', 'a'], ['claims.deep.er.1.est', true], ['params.none', undefined], ['claims.sub.length', undefined],
  ] as const /* biome-ignore format: a list to be read across */) {
    test(`reads ${source}`, () => {
      expect(read(source)).toEqual(value)
    })
  }

  for (const source of [
    'claims.__proto__',
    'claims.constructor',
    'claims.toString',
    'body.items.__proto__.length',
    'params.toString',
    'params.__proto__',
    'claims.deep.constructor.name',
    'body.items.length.x',
  ]) {
    test(`finds nothing that nobody put there: ${source}`, () => {
      expect(read(source)).toBeUndefined()
    })
  }

  test('reads parts and a response where there are some', () => {
    expect(read('parts.a.body.x', extendScope(scope, { parts: { a: { body: { x: 1 } } } }))).toBe(1)
    expect(read('response.status', extendScope(scope, { response: { status: 201 } }))).toBe(201)
    expect(read('params.id', extendScope(scope, { parts: {} }))).toBe('7')
    expect(read('parts.a.body')).toBeUndefined()
    const item = extendScope(scope, { item: { sku: 'a' }, index: 2, keys: ['a', 7] })
    expect(['item', 'item.sku', 'index', 'keys'].map((source) => read(source, item))).toEqual([
      { sku: 'a' },
      'a',
      2,
      ['a', 7],
    ])
  })

  for (const source of [
    '',
    'params',
    'param.id',
    'index.x',
    'keys.0',
    'client.name',
    'route.name',
    'params.a.b',
    'parts.a',
    'parts.a.text',
    'headers.x a',
    'claims.',
    'claims..a',
    'claims.a b',
    'headers.€',
    'body.a[0]',
    'process.env',
  ]) {
    test(`is a mistake: ${JSON.stringify(source)}`, () => {
      expect(() => parseReference(source)).toThrow(ReferenceMistake)
    })
  }

  test('says what it could have meant', () => {
    try {
      parseReference('client.ipp')
      expect.unreachable()
    } catch (error) {
      expect(error).toMatchObject({ found: 'ipp', candidates: ['ip', 'id'] })
    }
  })
})

describe('a cookie', () => {
  for (const [header, value] of [
    ['sid=1', '1'], ['a=0; sid=1; sid=2', '1'], ['sid="quoted"', 'quoted'], ['sid=a=b', 'a=b'], ['sid=', ''], ['xsid=1', undefined], ['sid', undefined], ['SID=1', undefined], ['sid="', '"'], [null, undefined],
  ] as const /* biome-ignore format: a list to be read across */) {
    test(`is read from ${JSON.stringify(header)}`, () => {
      expect(readCookie(header, 'sid')).toBe(value)
    })
  }
})
