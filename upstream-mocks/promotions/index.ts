import { launch } from '../service/launch.ts'
import { createService, type Service, type ServiceOptions } from '../service/service.ts'

/** Something said beside a product's price; it changes no price by itself. */
export interface Promotion {
  readonly id: string
  readonly title: string
  readonly kind: 'bundle' | 'gift' | 'free-shipping'
  readonly skus: readonly string[]
}

/** What runs at the moment. */
export const PROMOTIONS: readonly Promotion[] = [
  { id: 'promo-coffee', title: 'Kettle and mug together: free filters', kind: 'gift', skus: ['MUG-001', 'KTL-001'] },
  {
    id: 'promo-desk',
    title: 'Desk week: free delivery',
    kind: 'free-shipping',
    skus: ['DSK-001', 'LMP-001', 'CHR-001'],
  },
  { id: 'promo-typing', title: 'A cable with every keyboard', kind: 'gift', skus: ['KBD-001', 'KBD-002'] },
  {
    id: 'promo-kitchen',
    title: 'Buy two knives, get a board',
    kind: 'bundle',
    skus: ['KNF-001', 'KNF-002', 'BRD-001'],
  },
  { id: 'promo-mugs', title: 'Four mugs for the price of three', kind: 'bundle', skus: ['MUG-001', 'MUG-002'] },
  { id: 'promo-outdoors', title: 'Tent and bag: free delivery', kind: 'free-shipping', skus: ['TNT-001', 'SLP-001'] },
]

/** Promotions: an array for a SKU, empty when there is none; all of them when no SKU is named. */
export function createPromotions(options: ServiceOptions = {}): Service {
  return createService({ name: 'promotions', routes }, options)

  function routes(app: Service['app']): void {
    app.get('/promotions', (c) => {
      const sku = c.req.query('sku')
      return c.json(sku === undefined ? PROMOTIONS : PROMOTIONS.filter(({ skus }) => skus.includes(sku)))
    })
  }
}

if (import.meta.main) await launch('promotions', createPromotions)
