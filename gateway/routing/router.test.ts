import { describe, expect, test } from 'bun:test'
import { parseRoutePath, shapeOf } from './route-path.ts'
import { createRouter } from './router.ts'

function routerOf(...routes: readonly (readonly [path: string, ...methods: string[]])[]) {
  const router = createRouter(
    routes.map(([path, ...methods]) => ({
      path: parseRoutePath(path),
      methods: methods.length === 0 ? undefined : methods,
    })),
  )
  /** `path params`, `405 allow` or `404`. */
  return (path: string, method = 'GET') => {
    const match = router.match(method, path)
    if (match.kind === 'found') return [match.route.path.source, { ...match.params }]
    return match.kind === 'not-found' ? [404] : [405, ...match.allow]
  }
}

describe('the router', () => {
  test('prefers a literal to a parameter to the rest, segment by segment, whatever the order of the routes', () => {
    const paths = ['/*', '/a/*', '/:x/b', '/a/:y', '/a/b', '/a/b/*', '/:x/b/c'] as const
    for (const order of [paths, [...paths].reverse()]) {
      const find = routerOf(...order.map((path) => [path] as const))
      expect(find('/a/b')).toEqual(['/a/b', {}])
      expect(find('/a/c')).toEqual(['/a/:y', { y: 'c' }])
      expect(find('/z/b')).toEqual(['/:x/b', { x: 'z' }])
      expect(find('/a/c/d')).toEqual(['/a/*', { '*': 'c/d' }])
      expect(find('/a/b/c')).toEqual(['/a/b/*', { '*': 'c' }])
      expect(find('/z/b/c')).toEqual(['/:x/b/c', { x: 'z' }])
      expect(find('/z/y/x')).toEqual(['/*', { '*': 'z/y/x' }])
      expect(find('/')).toEqual(['/*', { '*': '' }])
    }
  })

  test('goes back from a literal that leads nowhere', () => {
    const find = routerOf(['/a/b/c'], ['/:x/:y/d'])
    expect(find('/a/b/d')).toEqual(['/:x/:y/d', { x: 'a', y: 'b' }])
    expect(find('/a/b/e')).toEqual([404])
    expect(routerOf(['/a/*'], ['/:x/:y/d'])('/a/b/d')).toEqual(['/a/*', { '*': 'b/d' }])
  })

  test('orders exact paths before prefixes and longer prefixes before shorter ones', () => {
    const find = routerOf(['/match'], ['/match/*'], ['/match/prefix/*'], ['/*'])
    expect(find('/match')).toEqual(['/match', {}])
    expect(find('/match/prefix/x')).toEqual(['/match/prefix/*', { '*': 'x' }])
    expect(find('/match/prefixx')).toEqual(['/match/*', { '*': 'prefixx' }])
    expect(find('/matchx')).toEqual(['/*', { '*': 'matchx' }])
  })

  test('ends a prefix only where a segment ends, and asks for the slash', () => {
    const find = routerOf(['/v2/*'])
    expect(find('/v2/x')).toEqual(['/v2/*', { '*': 'x' }])
    expect(find('/v2/')).toEqual(['/v2/*', { '*': '' }])
    for (const path of ['/v2', '/v2example', '/v2example/x', '/v', '/V2/x'])
      expect([path, find(path)]).toEqual([path, [404]])
  })

  test('tells a path with a trailing slash from one without', () => {
    expect(routerOf(['/a'])('/a/')).toEqual([404])
    expect(routerOf(['/a/'])('/a')).toEqual([404])
    expect(routerOf(['/a/:id'])('/a/')).toEqual([404])
  })

  test('says which methods a path knows when it does not know this one', () => {
    const find = routerOf(['/a/:id', 'GET', 'HEAD'], ['/a/b', 'POST'], ['/a/*', 'DELETE'])
    expect(find('/a/b', 'PUT')).toEqual([405, 'DELETE', 'GET', 'HEAD', 'POST'])
    expect(find('/a/c', 'POST')).toEqual([405, 'DELETE', 'GET', 'HEAD'])
    expect(find('/b', 'PUT')).toEqual([404])
  })

  test('falls through to a less specific route that knows the method', () => {
    const find = routerOf(['/a/b', 'POST'], ['/a/:id', 'GET'], ['/*', 'DELETE'])
    expect(find('/a/b', 'GET')).toEqual(['/a/:id', { id: 'b' }])
    expect(find('/a/b', 'DELETE')).toEqual(['/*', { '*': 'a/b' }])
  })

  test('takes several routes for one path when their methods differ', () => {
    const find = routerOf(['/a/:id', 'GET'], ['/a/:name', 'PUT'])
    expect(find('/a/1', 'GET')).toEqual(['/a/:id', { id: '1' }])
    expect(find('/a/1', 'PUT')).toEqual(['/a/:name', { name: '1' }])
  })

  test('decodes parameters exactly once', () => {
    const find = routerOf(['/a/:id'], ['/f/*'])
    expect(find('/a/%2561')).toEqual(['/a/:id', { id: '%61' }])
    expect(find('/a/%3Fx%23%C3%A9')).toEqual(['/a/:id', { id: '?x#é' }])
    expect(find('/f/a%20b/%25')).toEqual(['/f/*', { '*': 'a b/%' }])
  })

  test('is not misled by names of the prototype', () => {
    const find = routerOf(['/constructor'], ['/a/:constructor'])
    expect(find('/toString')).toEqual([404])
    expect(find('/__proto__')).toEqual([404])
    expect(find('/a/__proto__')).toEqual(['/a/:constructor', { constructor: '__proto__' }])
  })

  test('answers as fast with ten thousand routes as with ten', () => {
    const find = routerOf(...Array.from({ length: 10_000 }, (_, i) => [`/r${i}/:id/*`] as const))
    const startedAt = Date.now()
    for (let i = 0; i < 10_000; i++) expect(find(`/r${i}/1/x/y`)[0]).toBe(`/r${i}/:id/*`)
    expect(Date.now() - startedAt).toBeLessThan(2_000)
  })
})

describe('the shape of a route', () => {
  test('is the same exactly for routes that answer the same requests', () => {
    const shape = (path: string) => shapeOf(parseRoutePath(path))
    expect(shape('/a/:id')).toBe(shape('/a/:name'))
    expect(shape('/a/:id')).not.toBe(shape('/a/:id/'))
    expect(shape('/a/*')).not.toBe(shape('/a/:x'))
  })
})
