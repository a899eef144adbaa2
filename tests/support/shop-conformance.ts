import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { orderPlaced } from '../../upstream-mocks/testing/requests.ts'
import { until } from './real-time.ts'
import { seededRandom } from './seeded-random.ts'
import { prepareShop, type ShopProcesses, settled } from './shop-processes.ts'

const SERVICES = ['inventory', 'payments', 'orders'] as const
const STEPS = [
  'before-effect',
  'before-commit',
  'after-commit-before-ack',
  'before-publish',
  'after-publish-before-mark',
] as const
const DECLINED = '4000000000000002'
/** Who dies where, and what is ordered: the same number makes the same plan. */
const SEED = Number(process.env.SHOP_CHAOS_SEED ?? 20_260_301)
const ROUNDS = Number(process.env.SHOP_CHAOS_ROUNDS ?? 6)
const ORDERS_A_ROUND = 8

/** The shop's services as processes on a broker, killed without warning. */
export function testShopProcesses(name: string, brokerUrl: () => string): void {
  describe(`the shop's processes on ${name}`, () => {
    let shop: ShopProcesses
    beforeEach(async () => {
      shop = await prepareShop(brokerUrl())
    })
    afterEach(() => shop.close())

    const startAll = () => Promise.all(SERVICES.map((service) => shop.start(service)))

    const deaths = SERVICES.flatMap((service) =>
      STEPS.map((step) => ({ service, step, title: `${service} dies ${step.replaceAll('-', ' ')}` })),
    )
    test.each(deaths)(
      'CON-02, CON-03, CON-08: when $title, one order is confirmed, one cancelled, and nothing is done twice',
      async ({ service, step }) => {
        await Promise.all(SERVICES.map((one) => shop.start(one, one === service ? { step, nth: 1 } : undefined)))
        const events = [await shop.place('MUG-001', 2), await shop.place('KTL-001', 3, DECLINED)].map((order) =>
          orderPlaced(order),
        )
        for (const event of events) await shop.publish(event)
        await until(`${service} is dead`, () => !shop.isAlive(service))
        await shop.start(service)
        for (const event of events) await shop.publish(event)
        await settled(shop, 2)
        expect(shop.books(true)).toMatchObject({ confirmed: 1, cancelled: 1, charges: 1, mistakes: [] })
        expect(shop.books().stock.reserved).toBe(2)
        expect([...(await shop.deadLetters())]).toEqual([])
      },
      30_000,
    )

    test('finishes what it has in hand on SIGTERM, and exits with 0', async () => {
      await startAll()
      const orders = await Promise.all(Array.from({ length: 20 }, () => shop.place('MUG-001', 1)))
      for (const order of orders) await shop.publish(orderPlaced(order))
      await until('some have ended', () => shop.books().confirmed > 0)
      for (const service of SERVICES) expect(await shop.stop(service)).toBe(0)
      expect(shop.books()).toMatchObject({ owed: { orders: 0, inventory: 0, payments: 0 }, mistakes: [] })
      await startAll()
      await settled(shop, 20)
      expect(shop.books(true)).toMatchObject({ confirmed: 20, charges: 20, mistakes: [] })
    }, 30_000)

    test(`CON-15: the books add up after ${ROUNDS} rounds of deaths, repeats and poison (seed ${SEED})`, async () => {
      const random = seededRandom(SEED)
      const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T
      await startAll()
      shop.keepAlive()
      const poison: string[] = []
      for (let round = 1; round <= ROUNDS; round += 1) {
        const service = pick(SERVICES)
        await shop.kill(service)
        await shop.start(service, { step: pick(STEPS), nth: 1 + Math.floor(random() * 12) })
        for (let i = 0; i < ORDERS_A_ROUND; i += 1) {
          const card = pick([undefined, '4242424242424242', DECLINED])
          const placing = shop.place(
            pick(['MUG-001', 'MUG-002', 'CBL-001', 'CLK-002', 'RUG-001']),
            1 + Math.floor(random() * 3),
            card,
          )
          const event = orderPlaced(await placing)
          for (let copies = 1 + Math.floor(random() * 3); copies > 0; copies -= 1) await shop.publish(event)
          if (random() < 0.2) {
            const id = `poison-${poison.length}`
            poison.push(`${id} wrong-data`)
            await shop.publish({ ...event, id, data: { id: event.subject } })
          }
        }
        const ended = () => shop.books().confirmed + shop.books().cancelled
        await until('all have ended, whoever died', () => ended() === round * ORDERS_A_ROUND)
      }
      await settled(shop, ROUNDS * ORDERS_A_ROUND)
      const books = shop.books(true)
      expect(books.mistakes).toEqual([])
      expect(books.stock.available + books.stock.reserved).toBe(books.stock.opening)
      expect(books.charges).toBe(books.confirmed)
      await until('all poison is set aside', async () => (await shop.deadLetters()).size >= poison.length)
      expect([...(await shop.deadLetters())].map((letter) => letter.split(':')[0]).sort()).toEqual(poison.sort())
    }, 60_000)
  })
}
