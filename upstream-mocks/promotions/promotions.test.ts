import { expect, test } from 'bun:test'
import { PRODUCTS } from '../catalog/products.ts'
import { createPromotions, PROMOTIONS } from './index.ts'

const { app } = createPromotions()
const idsAt = async (path: string) =>
  ((await (await app.request(path)).json()) as readonly { id: string }[]).map(({ id }) => id)

test('lists the promotions of one SKU', async () => {
  expect(await idsAt('/promotions?sku=MUG-001')).toEqual(['promo-coffee', 'promo-mugs'])
})

test('answers an empty array for a SKU that has none', async () => {
  expect(await idsAt('/promotions?sku=TNT-999')).toEqual([])
})

test('lists all promotions when no SKU is named', async () => {
  expect(await idsAt('/promotions')).toEqual(PROMOTIONS.map(({ id }) => id))
})

test('promotes only what the catalog sells', () => {
  const sold = new Set(PRODUCTS.map(({ sku }) => sku))
  expect(PROMOTIONS.flatMap(({ skus }) => skus).filter((sku) => !sold.has(sku))).toEqual([])
})
