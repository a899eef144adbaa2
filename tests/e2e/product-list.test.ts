import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createCatalog } from '../../upstream-mocks/catalog/index.ts'
import { createInventory } from '../../upstream-mocks/inventory/index.ts'
import { createPricing } from '../../upstream-mocks/pricing/index.ts'
import { createTestGateway } from '../support/gateway.ts'

const DEMO = readFileSync(join(import.meta.dir, '../../config/gateway.yaml'), 'utf8')

/** The demo's own configuration in front of the demo's own services, without sockets. */
async function openShop({ broken = '' } = {}) {
  const services: Readonly<
    Record<string, { readonly app: { fetch(request: Request): Response | Promise<Response> } }>
  > = {
    9102: createCatalog(),
    9103: createInventory(),
    9104: createPricing(),
    9114: createPricing({ engine: 'canary' }),
  }
  const gateway = await createTestGateway({
    config: DEMO,
    upstream: (request) => {
      const { port } = new URL(request.url)
      return port === broken
        ? new Response(null, { status: 500 })
        : (services[port]?.app.fetch(request) ?? Response.json([]))
    },
  })
  return gateway
}

interface ProductList {
  readonly list: { readonly items: readonly { readonly sku: string }[]; readonly total: number }
  readonly prices: readonly ({ readonly sku: string } | null)[]
  readonly stock: readonly ({ readonly sku: string } | null)[]
}

describe('the product list of the demo', () => {
  test('has twenty products with price and stock after three calls', async () => {
    const gateway = await openShop()
    const response = await gateway.fetch('/products')
    expect(response.status).toBe(200)
    expect(response.headers.get('composition-complete')).toBe('?1')
    const { list, prices, stock } = (await response.json()) as ProductList
    const skus = list.items.map(({ sku }) => sku)
    expect(skus).toHaveLength(20)
    expect(prices.map((price) => price?.sku)).toEqual(skus)
    expect(stock.map((each) => each?.sku)).toEqual(skus)
    const asked = gateway.upstreamRequests.map(({ url }) => new URL(url).pathname)
    expect(asked.sort()).toEqual(['/prices', '/products', '/stock'])
  })

  test('turns its pages', async () => {
    const gateway = await openShop()
    const { list, prices } = (await (await gateway.fetch('/products?page=2')).json()) as ProductList
    expect(list.items).toHaveLength(list.total - 20)
    expect(prices.map((price) => price?.sku)).toEqual(list.items.map(({ sku }) => sku))
  })

  test('stands without prices, and says so', async () => {
    const response = await (await openShop({ broken: '9104' })).fetch('/products')
    expect(response.status).toBe(200)
    expect(response.headers.get('composition-complete')).toBe('?0')
    expect(response.headers.get('composition-status')).toContain('prices;fallback;error="status";status=500, stock;ok')
    expect(((await response.json()) as ProductList).prices).toEqual(Array(20).fill(null))
  })

  test('passes on that the client has asked for no page', async () => {
    const response = await (await openShop()).fetch('/products?page=none')
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ type: 'urn:sluice:problem:upstream-refused' })
  })
})

test('the product page of the demo has no page for an unknown product', async () => {
  const response = await (await openShop()).fetch('/products/MUG-999')
  expect(response.status).toBe(404)
  expect(await response.json()).toMatchObject({
    detail: 'The part "product" failed: its upstream answered 404',
  })
})
