import { launch } from '../service/launch.ts'
import { notFound } from '../service/problem.ts'
import { createService, type Service, type ServiceOptions } from '../service/service.ts'
import { answerForMany } from '../service/skus.ts'
import { CURRENCY, LIST_PRICES } from './price-list.ts'

/** Which of the two pricing versions runs: the canary takes 10 % off everything. */
export type PricingEngine = 'stable' | 'canary'

/** What the service says of one SKU; amounts are in minor units of the currency. */
export interface Price {
  readonly sku: string
  readonly amountMinor: number
  readonly listAmountMinor: number
  readonly discountPercent: number
  readonly currency: string
  readonly engine: PricingEngine
}

const ENGINES = {
  stable: { name: 'pricing', discountPercent: 0 },
  canary: { name: 'pricing-canary', discountPercent: 10 },
} as const

/** Pricing in one of its versions; both run side by side so that a gateway can send some of its callers to the new one. */
export function createPricing(options: ServiceOptions & { readonly engine?: PricingEngine } = {}): Service {
  const { engine = 'stable' } = options
  const { name, discountPercent } = ENGINES[engine]
  return createService({ name, routes }, options)

  function routes(app: Service['app']): void {
    app.get('/prices', (c) => answerForMany(c.req.query('skus'), priceOf))
    app.get('/prices/:sku', (c) => {
      const sku = c.req.param('sku')
      const price = priceOf(sku)
      return price ? c.json(price) : notFound('price', sku)
    })
  }

  function priceOf(sku: string): Price | undefined {
    const listAmountMinor = LIST_PRICES.get(sku)
    if (listAmountMinor === undefined) return undefined
    const amountMinor = Math.round((listAmountMinor * (100 - discountPercent)) / 100)
    return { sku, amountMinor, listAmountMinor, discountPercent, currency: CURRENCY, engine }
  }
}

if (import.meta.main) {
  const engine = process.env.PRICING_ENGINE === 'canary' ? 'canary' : 'stable'
  await launch(ENGINES[engine].name, (options) => createPricing({ ...options, engine }))
}
