import { z } from 'zod'
import { launch } from '../service/launch.ts'
import { notFound, toResponse } from '../service/problem.ts'
import { createService, type Service, type ServiceOptions } from '../service/service.ts'
import { pictureOf } from './picture.ts'
import { PRODUCTS, type Product } from './products.ts'

const listing = z.object({
  page: z.coerce.number().int().min(1).max(10_000).default(1),
  perPage: z.coerce.number().int().min(1).max(100).default(20),
  category: z.string().max(40).optional(),
})

/** The catalog: what the shop sells, in pages or one by one, with a picture of each. */
export function createCatalog(options: ServiceOptions = {}): Service {
  const bySku = new Map(PRODUCTS.map((product) => [product.sku, product]))
  return createService({ name: 'catalog', routes }, options)

  function routes(app: Service['app']): void {
    app.get('/products', (c) => {
      const query = listing.safeParse(c.req.query())
      if (!query.success) return toResponse(WRONG_QUERY)
      return c.json(pageOf(query.data))
    })
    app.get('/products/:id', (c) => {
      const id = c.req.param('id')
      const product = bySku.get(id)
      return product ? c.json(product) : notFound('product', id)
    })
    app.get('/images/:file', async (c) => {
      const file = c.req.param('file')
      const product = bySku.get(file.replace(/\.svg$/, ''))
      return product && file.endsWith('.svg') ? pictureOf(product, c.req.raw.headers) : notFound('image', file)
    })
  }
}

interface Page {
  readonly items: readonly Product[]
  readonly page: number
  readonly perPage: number
  readonly total: number
  /** Path of the next page; absent on the last. */
  readonly next?: string
}

function pageOf({ page, perPage, category }: z.output<typeof listing>): Page {
  const all = category === undefined ? PRODUCTS : PRODUCTS.filter((product) => product.category === category)
  const end = page * perPage
  const query = new URLSearchParams({ page: `${page + 1}`, perPage: `${perPage}`, ...(category ? { category } : {}) })
  return {
    items: all.slice(end - perPage, end),
    page,
    perPage,
    total: all.length,
    ...(end < all.length ? { next: `/products?${query}` } : {}),
  }
}

const WRONG_QUERY = {
  status: 400,
  code: 'invalid-query',
  title: 'The query is not valid',
  detail: 'page counts from 1, perPage is 1 to 100, category is a word',
} as const

if (import.meta.main) await launch('catalog', createCatalog)
