import type { Chance } from './chance.ts'

/** One order as its client knows it. */
export interface PlacedOrder {
  readonly key: string
  readonly customer: string
  /** The how-manieth of its customer, who places one after the other. */
  readonly number: number
  readonly attempts: number
  readonly outcome:
    | { readonly kind: 'accepted'; readonly orderId: string }
    | { readonly kind: 'refused'; readonly status: number }
    /** The client gave up; whether there is an order is not known to it. */
    | { readonly kind: 'given-up'; readonly last: string }
}

export interface LoadOptions {
  readonly chance: Chance
  /** Addresses of the gateways; a client that got no answer asks the next one. */
  readonly gateways: readonly string[]
  readonly orders: number
  readonly customers: number
  /** Called before each order is placed for the first time, with how many were begun before it. */
  readonly onBegin: (begun: number) => void
  /** Patience of a client with one answer, and with one order, in milliseconds. */
  readonly answerWithinMs: number
  readonly giveUpAfterMs: number
}

const SKUS = ['CBL-001', 'BTL-001', 'MUG-001', 'POT-001'] as const
const GOOD_CARD = '4242424242424242'
const DECLINED_CARD = '4000000000000002'

/** Everything the clients were told. */
export interface LoadResult {
  readonly placed: readonly PlacedOrder[]
  /** How often each status was seen, `lost` for no answer. */
  readonly answers: Readonly<Record<string, number>>
}

/** Customers at once, each placing one order after the other, and asking again with the same key until it is answered. */
export async function placeOrders(options: LoadOptions): Promise<LoadResult> {
  const { chance, gateways, orders, customers, onBegin } = options
  const placed: PlacedOrder[] = []
  const answers: Record<string, number> = {}
  let begun = 0

  async function shop(customer: string, own: Chance): Promise<void> {
    for (let number = 1; begun < orders; number++) {
      onBegin(begun++)
      placed.push(await place(customer, number, own))
    }
  }

  async function place(customer: string, number: number, own: Chance): Promise<PlacedOrder> {
    const key = `${customer}-${number}-${own.between(0, 1e9)}`
    const request = { key, customer, body: JSON.stringify(newOrder(own)) }
    const giveUpAt = performance.now() + options.giveUpAfterMs
    let gateway = own.between(0, gateways.length - 1)
    for (let attempts = 1; ; attempts++) {
      const answer = await ask(gateways[gateway % gateways.length] ?? '', request, options.answerWithinMs)
      answers[answer.name] = (answers[answer.name] ?? 0) + 1
      const facts = { key, customer, number, attempts }
      if (answer.outcome) return { ...facts, outcome: answer.outcome }
      if (performance.now() > giveUpAt) return { ...facts, outcome: { kind: 'given-up', last: answer.name } }
      gateway++
      await Bun.sleep(own.between(20, 120))
    }
  }

  await Promise.all(Array.from({ length: customers }, (_, i) => shop(`customer-${i + 1}`, chance.fork())))
  return { placed, answers }
}

function newOrder(chance: Chance) {
  const items = Array.from({ length: chance.between(1, 2) }, () => ({
    sku: chance.pick(SKUS),
    quantity: chance.between(1, 3),
  }))
  return { items, payment: { card: chance.happens(0.15) ? DECLINED_CARD : GOOD_CARD } }
}

interface Answer {
  readonly name: string
  /** Undefined when it is worth asking again. */
  readonly outcome?: PlacedOrder['outcome']
}

interface OrderRequest {
  readonly key: string
  readonly customer: string
  readonly body: string
}

async function ask(gateway: string, { key, customer, body }: OrderRequest, withinMs: number): Promise<Answer> {
  try {
    const response = await fetch(`${gateway}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key, 'x-user-id': customer },
      body,
      keepalive: false,
      signal: AbortSignal.timeout(withinMs),
    })
    const name = String(response.status)
    const answer = (await response.json()) as { readonly id?: string }
    if (response.status === 201 || response.status === 200) {
      return answer.id === undefined ? { name } : { name, outcome: { kind: 'accepted', orderId: answer.id } }
    }
    // The same answer for as long as the key is kept: asking again would change nothing.
    if (response.headers.has('idempotent-replayed')) return { name, outcome: { kind: 'given-up', last: name } }
    const isFinal = response.status < 500 && response.status !== 409 && response.status !== 429
    return isFinal ? { name, outcome: { kind: 'refused', status: response.status } } : { name }
  } catch {
    return { name: 'lost' }
  }
}
