import { describe, expect, test } from 'bun:test'
import { OPENING_STOCK } from '../inventory/opening-stock.ts'
import { LIST_PRICES } from '../pricing/price-list.ts'
import { createCatalog } from './index.ts'
import { PRODUCTS } from './products.ts'

const { app } = createCatalog()

interface Page {
  readonly items: readonly { readonly sku: string; readonly category: string }[]
  readonly total: number
  readonly next?: string
}

const pageAt = async (path: string) => (await (await app.request(path)).json()) as Page

describe('catalog', () => {
  test('sells a few dozen products, and each has a price and a stock', () => {
    const skus = PRODUCTS.map(({ sku }) => sku)
    expect(skus.length).toBe(36)
    expect(skus).toEqual([...LIST_PRICES.keys()])
    expect(skus).toEqual([...OPENING_STOCK.keys()])
  })

  test('shows one product', async () => {
    const response = await app.request('/products/MUG-001')
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({
      id: 'MUG-001',
      sku: 'MUG-001',
      name: 'Stoneware Mug',
      brand: 'Fjordware',
      image: '/images/MUG-001.svg',
    })
  })

  test.each(['/products/MUG-999', '/products/__proto__', '/images/MUG-001', '/images/MUG-999.svg'])(
    'answers 404 to %s',
    async (path) => {
      expect((await app.request(path)).status).toBe(404)
    },
  )

  test('can be paged through from start to end, each product once', async () => {
    const seen: string[] = []
    for (let path: string | undefined = '/products?perPage=10'; path !== undefined; ) {
      const page: Page = await pageAt(path)
      seen.push(...page.items.map(({ sku }) => sku))
      path = page.next
    }
    expect(seen).toEqual(PRODUCTS.map(({ sku }) => sku))
  })

  test('keeps to a category, on every page', async () => {
    const first = await pageAt('/products?category=kitchen&perPage=5')
    const second = await pageAt(first.next ?? 'missing')
    const categories = [...first.items, ...second.items].map(({ category }) => category)
    expect(first.total).toBe(8)
    expect(categories).toEqual(Array(8).fill('kitchen'))
  })

  test.each(['page=0', 'page=x', 'perPage=101', 'perPage=0'])('refuses %s with 400', async (query) => {
    expect((await app.request(`/products?${query}`)).status).toBe(400)
  })
})

describe('pictures', () => {
  const picture = (headers: Record<string, string> = {}) => app.request('/images/KNF-001.svg', { headers })

  test('are SVG that an XML reader accepts, names with quotes too', async () => {
    const response = await picture()
    expect(response.headers.get('content-type')).toBe('image/svg+xml')
    const svg = await response.text()
    expect(svg.startsWith('<svg xmlns="http://www.w3.org/2000/svg"')).toBe(true)
    expect(svg).toContain('Chef&#39;s Knife')
  })

  test('have the same length for HEAD as for GET', async () => {
    const { length } = await (await picture()).bytes()
    const head = await app.request('/images/KNF-001.svg', { method: 'HEAD' })
    expect(head.headers.get('content-length')).toBe(`${length}`)
    expect(await head.text()).toBe('')
  })

  test('answer 304 without a body to the tag they carry', async () => {
    const etag = (await picture()).headers.get('etag') ?? 'none'
    const again = await picture({ 'if-none-match': `"other", W/${etag}` })
    expect(again.status).toBe(304)
    expect(await again.text()).toBe('')
    expect((await picture({ 'if-none-match': '"other"' })).status).toBe(200)
  })

  test.each([
    { name: 'a first part', range: 'bytes=0-3', from: 0, to: 4 },
    { name: 'an open end', range: 'bytes=100-', from: 100, to: undefined },
    { name: 'the last bytes', range: 'bytes=-7', from: -7, to: undefined },
    { name: 'more than there is', range: 'bytes=5-999999', from: 5, to: undefined },
  ])('answer 206 with $name', async ({ range, from, to }) => {
    const whole = await (await picture()).bytes()
    const part = await picture({ range })
    expect(part.status).toBe(206)
    const bytes = await part.bytes()
    expect(bytes).toEqual(whole.slice(from, to))
    const first = from < 0 ? whole.length + from : from
    expect(part.headers.get('content-range')).toBe(`bytes ${first}-${first + bytes.length - 1}/${whole.length}`)
  })

  test.each([
    { name: 'a range past the end', range: 'bytes=999999-', status: 416 },
    { name: 'the last zero bytes', range: 'bytes=-0', status: 416 },
    { name: 'a backward range', range: 'bytes=9-3', status: 200 },
    { name: 'several ranges', range: 'bytes=0-1,4-5', status: 200 },
    { name: 'another unit', range: 'lines=0-1', status: 200 },
    { name: 'nonsense', range: 'bytes=-', status: 200 },
  ])('answer $status to $name', async ({ range, status }) => {
    expect((await picture({ range })).status).toBe(status)
  })
})
