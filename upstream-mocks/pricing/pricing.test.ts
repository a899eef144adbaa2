import { expect, test } from 'bun:test'
import { createPricing, type PricingEngine } from './index.ts'

async function priceOf(engine: PricingEngine, sku: string) {
  return (await createPricing({ engine }).app.request(`/prices/${sku}`)).json()
}

test('stable pricing asks the list price in minor units', async () => {
  expect(await priceOf('stable', 'MUG-001')).toEqual({
    sku: 'MUG-001',
    amountMinor: 1490,
    listAmountMinor: 1490,
    discountPercent: 0,
    currency: 'EUR',
    engine: 'stable',
  })
})

test('canary pricing says so and takes 10 % off', async () => {
  expect(await priceOf('canary', 'MUG-001')).toMatchObject({
    amountMinor: 1341,
    listAmountMinor: 1490,
    discountPercent: 10,
    engine: 'canary',
  })
})

test('both versions run side by side on ports of their own', () => {
  expect([createPricing().port, createPricing({ engine: 'canary' }).port]).toEqual([9104, 9114])
})

test('asks the prices of many at once and leaves out what it does not know', async () => {
  const { app } = createPricing({ engine: 'canary' })
  expect(await (await app.request('/prices?skus=MUG-002,MUG-999,MUG-001')).json()).toMatchObject([
    { sku: 'MUG-002', amountMinor: 2241 },
    { sku: 'MUG-001', amountMinor: 1341 },
  ])
  for (const skus of ['', ',', Array.from({ length: 101 }, () => 'MUG-001').join()]) {
    expect((await app.request(`/prices?skus=${skus}`)).status).toBe(400)
  }
})

test('answers 404 for a SKU without a price', async () => {
  expect((await createPricing().app.request('/prices/MUG-999')).status).toBe(404)
})
