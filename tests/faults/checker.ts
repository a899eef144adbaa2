import type { Books } from './books.ts'

/** Everything in the books that should not be there, each in one line; nothing when the promises were kept. */
export function findAnomalies(books: Books): readonly string[] {
  return [
    ...acknowledgedOrders(books),
    ...effects(books),
    ...eventsWithoutOrder(books),
    ...stockAndPayments(books),
    ...sequence(books),
    ...leftovers(books),
  ]
}

/** What a client was told is in the order service's table, and one key is one order. */
function acknowledgedOrders({ load, orders }: Books): string[] {
  const known = new Set(orders.map(({ id }) => id))
  const byOrder = new Map<string, string>()
  return load.placed.flatMap(({ key, outcome }) => {
    if (outcome.kind !== 'accepted') return []
    const { orderId } = outcome
    const other = byOrder.get(orderId)
    byOrder.set(orderId, key)
    if (!known.has(orderId)) return [`order ${orderId} was acknowledged, and the order service does not have it`]
    return other === undefined ? [] : [`order ${orderId} was given to two keys, ${other} and ${key}`]
  })
}

/** Every stored order has exactly one `order.placed` in effect. */
function effects({ orders, effects, outbox }: Books): string[] {
  const parked = new Set(outbox.flatMap(({ state, orderId }) => (state === 'parked' && orderId ? [orderId] : [])))
  return orders.flatMap(({ id }) => {
    const count = effects.get(id) ?? 0
    if (count === 1 || (count === 0 && parked.has(id))) return []
    return [count === 0 ? `order ${id} was stored and never announced` : `order ${id} took effect ${count} times`]
  })
}

/** No event is about an order that does not exist. */
function eventsWithoutOrder({ orders, effects, deliveries = [] }: Books): string[] {
  const known = new Set(orders.map(({ id }) => id))
  const heardOf = new Set([...effects.keys(), ...deliveries.flatMap(({ orderId }) => orderId ?? [])])
  return [...heardOf].filter((id) => !known.has(id)).map((id) => `order ${id} was announced, and does not exist`)
}

const ENDINGS: Readonly<Record<string, string>> = {
  'kept confirmed': 'confirmed',
  'released declined': 'cancelled',
  'refused none': 'cancelled',
}

/** States of a reservation in which its pieces are not free. */
const HOLDING: ReadonlySet<string> = new Set(['held', 'kept'])

/** Each order has one reservation, the payment that follows from it and the status that follows from both; stock adds up. */
function stockAndPayments({ orders, reservations, payments, stock, effects }: Books): string[] {
  const announced = orders.filter(({ id }) => (effects.get(id) ?? 0) > 0)
  const wrong = announced.flatMap(({ id, status }) => {
    const decided = `${reservations.get(id) ?? 'no reservation'} ${payments.get(id) ?? 'none'}`
    return ENDINGS[decided] === status ? [] : [`order ${id} is ${status}, with stock and payment: ${decided}`]
  })
  const known = new Set(orders.map(({ id }) => id))
  const strays = [...reservations.keys(), ...payments.keys()].filter((id) => !known.has(id))
  const held = new Map<string, number>()
  for (const { id, lines } of orders) {
    if (!HOLDING.has(reservations.get(id) ?? '')) continue
    for (const { sku, quantity } of lines) held.set(sku, (held.get(sku) ?? 0) + quantity)
  }
  const shelves = stock.flatMap(({ sku, opening, available, reserved }) => {
    const wanted = held.get(sku) ?? 0
    if (reserved === wanted && opening === available + reserved && available >= 0) return []
    return [`stock of ${sku}: ${opening} at first, ${available} free and ${reserved} held, while orders hold ${wanted}`]
  })
  return [...wrong, ...strays.map((id) => `stock or payment of order ${id}, which does not exist`), ...shelves]
}

/**
 * Events of one subject come in the order of their commitment: of one order its placing first, and, where the customer
 * is the subject, its orders in the order in which they were acknowledged. Repeats may come at any time.
 */
function sequence({ load, deliveries, subjectIsCustomer }: Books): string[] {
  if (!deliveries || !subjectIsCustomer) return []
  const firstAt = new Map<string, number>()
  deliveries.forEach(({ type, orderId }, place) => {
    if (type === 'order.placed' && orderId !== undefined && !firstAt.has(orderId)) firstAt.set(orderId, place)
  })
  const anomalies: string[] = []
  const latest = new Map<string, { readonly place: number; readonly orderId: string }>()
  for (const { customer, outcome } of [...load.placed].sort((one, other) => one.number - other.number)) {
    const place = outcome.kind === 'accepted' ? firstAt.get(outcome.orderId) : undefined
    if (outcome.kind !== 'accepted' || place === undefined) continue
    const before = latest.get(customer)
    if (before && place < before.place) {
      anomalies.push(`order ${outcome.orderId} of ${customer} was announced before ${before.orderId}, which came first`)
    }
    latest.set(customer, { place, orderId: outcome.orderId })
  }
  return anomalies
}

/** Nothing waits anywhere in the end but what is parked for an operator, with the reason. */
function leftovers({ outbox, unfinished, deadLetters }: Books): string[] {
  return [
    ...outbox.flatMap(({ state, reason, orderId }) =>
      state === 'parked' && reason
        ? []
        : [`the outbox still has a ${state} entry (${orderId ?? reason ?? 'no order'})`],
    ),
    ...[...unfinished].flatMap(([where, count]) => (count === 0 ? [] : [`${count} left in ${where}`])),
    ...deadLetters.map((letter) => `a dead letter: ${letter}`),
  ]
}
