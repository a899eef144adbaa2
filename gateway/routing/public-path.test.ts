import { describe, expect, test } from 'bun:test'
import { parseTemplate } from '../core/template.ts'
import { createPublicPaths, type Mapping } from './public-path.ts'
import { parseRoutePath } from './route-path.ts'

/** A route of the upstream `u`; without a template the path goes on as it came. */
function route(path: string, template?: string, methods?: readonly string[]): Mapping {
  const inside = template === undefined ? undefined : parseTemplate(template)
  return { path: parseRoutePath(path), methods, upstream: { name: 'u', path: inside } }
}

/** Where a client finds `inside` after it has asked the first of these routes for `asked`. */
function outside(routes: readonly Mapping[], asked: string, inside: string, method = 'GET') {
  return createPublicPaths(routes)(routes[0])(inside, { upstream: 'u', method, path: asked })
}

describe('AGG-18: the way back from an upstream path', () => {
  interface Row {
    readonly name: string
    readonly own: Mapping
    readonly asked: string
    readonly inside: string
    readonly outside: string
  }
  const rows: readonly Row[] = [
    { name: 'no template', own: route('/*'), asked: '/a', inside: '/orders/7', outside: '/orders/7' },
    { name: 'a prefix taken off', own: route('/shop/*', '/{params.*}'), asked: '/shop/a', inside: '/orders/7', outside: '/shop/orders/7' },
    { name: 'a prefix put on', own: route('/*', '/v1/{params.*}'), asked: '/a', inside: '/v1/orders/7', outside: '/orders/7' },
    { name: 'one prefix for another', own: route('/shop/*', '/v1/{params.*}'), asked: '/shop/a', inside: '/v1/', outside: '/shop/' },
    { name: 'a parameter', own: route('/orders/:id', '/v1/{params.id}/order'), asked: '/orders/1', inside: '/v1/a%20b/order', outside: '/orders/a%20b' },
    { name: 'two in another order', own: route('/:a/:b', '/{params.b}/{params.a}'), asked: '/x/y', inside: '/1/2', outside: '/2/1' },
    { name: 'one parameter twice', own: route('/:a', '/{params.a}/{params.a}'), asked: '/x', inside: '/1/1', outside: '/1' },
    { name: 'a parameter that the upstream is not told', own: route('/:shop/orders/:id', '/orders/{params.id}'), asked: '/basel%20x/orders/1', inside: '/orders/7', outside: '/basel%20x/orders/7' },
    { name: 'a query in the template', own: route('/orders/:id', '/v1/{params.id}?all={query.all}'), asked: '/orders/1', inside: '/v1/7', outside: '/orders/7' },
    { name: 'another spelling', own: route('/shop/*', '/v1/{params.*}'), asked: '/shop/a', inside: '/%761/caf%c3%a9', outside: '/shop/caf%C3%A9' },
    { name: 'a path outside the template', own: route('/shop/*', '/v1/{params.*}'), asked: '/shop/a', inside: '/v2/a', outside: '/v2/a' },
    { name: 'a value in part of a segment', own: route('/orders/:id', '/order-{params.id}'), asked: '/orders/1', inside: '/order-7', outside: '/order-7' },
    { name: 'a value of the query', own: route('/orders', '/{query.shop}/orders'), asked: '/orders', inside: '/basel/orders', outside: '/basel/orders' },
    { name: 'two unequal values for one', own: route('/:a', '/{params.a}/{params.a}'), asked: '/x', inside: '/1/2', outside: '/1/2' },
    { name: 'an empty segment for a parameter', own: route('/orders/:id', '/v1/{params.id}'), asked: '/orders/1', inside: '/v1/', outside: '/v1/' },
    { name: 'a path that no client may ask for', own: route('/shop/*', '/v1/{params.*}'), asked: '/shop/a', inside: '/v1/a%2Fb', outside: '/v1/a%2Fb' },
  ] // biome-ignore format: one case a line
  test.each(rows)('is found with $name', ({ own, asked, inside, outside: expected }) => {
    expect(outside([own], asked, inside)).toBe(expected)
  })

  const create = route('/orders', '/v1/orders', ['POST'])

  test('leads below the path that was asked for, where a route answers there', () => {
    const page: Mapping = { path: parseRoutePath('/orders/:id'), methods: ['GET'], upstream: undefined }
    expect(outside([create, page], '/orders', '/v1/orders/7')).toBe('/orders/7')
    expect(outside([create], '/orders', '/v1/orders/7')).toBe('/orders/7')
  })

  test('leads through another route of the upstream where the own one leads nowhere, the most specific first', () => {
    const checkout = route('/checkout', '/v1/orders', ['POST'])
    const all = route('/raw/*', '/{params.*}')
    const one = route('/orders/:id', '/v1/orders/{params.id}', ['GET'])
    expect(outside([checkout, all, one], '/checkout', '/v1/orders/7')).toBe('/orders/7')
    expect(outside([checkout, all, one], '/checkout', '/v1/invoices/7')).toBe('/raw/v1/invoices/7')
    expect(outside([checkout, all, one], '/checkout', '/v1/orders/7', 'POST')).toBe('/raw/v1/orders/7')
  })

  test('leads below the path of another route, after those that know the whole path', () => {
    const checkout = route('/checkout', '/v1/orders', ['POST'])
    const list = route('/orders', '/v1/orders')
    const page: Mapping = { path: parseRoutePath('/orders/:id'), methods: ['GET'], upstream: undefined }
    const one = route('/order/:id', '/v1/orders/{params.id}')
    const all = route('/raw/*', '/v1/{params.*}')
    expect(outside([checkout, list, page], '/checkout', '/v1/orders/7')).toBe('/orders/7')
    expect(outside([checkout, list, page, one], '/checkout', '/v1/orders/7')).toBe('/order/7')
    expect(outside([checkout, all, list, page], '/checkout', '/v1/orders/7')).toBe('/orders/7')
    expect(outside([checkout, all, list], '/checkout', '/v1/orders/7')).toBe('/raw/orders/7')
  })

  test('stays in the route that was asked where that answers, whatever is more specific', () => {
    const v1 = route('/v1/*', '/{params.*}')
    const v2 = route('/v2/orders/:id', '/orders/{params.id}')
    expect(outside([v1, v2], '/v1/orders', '/orders/7')).toBe('/v1/orders/7')
  })

  test('does not lead through a route of another upstream', () => {
    const other: Mapping = { ...route('/other/*', '/{params.*}'), upstream: { name: 'o', path: parseTemplate('/{params.*}') } }
    expect(outside([create, other], '/orders', '/v2/7')).toBe('/v2/7')
  }) // biome-ignore format: two lines

  test('is found for a reply to a call of a policy by the routes of the upstream', () => {
    const paths = createPublicPaths([route('/orders/:id', '/v1/orders/{params.id}')])(undefined)
    const way = { upstream: 'u', method: 'GET', path: '/page/1' }
    expect([paths('/v1/orders/7', way), paths('/v2/7', way)]).toEqual(['/orders/7', '/v2/7'])
    expect(paths('/v1/orders/7', { ...way, upstream: 'o' })).toBe('/v1/orders/7')
  })
})
