/** What happens to one call of an order service. */
export type Happening =
  | 'answer'
  | 'fail before'
  | 'fail after'
  | 'lose the request'
  | 'lose the answer'
  | 'break off'
  | 'slow'

/**
 * An order service that honours `Idempotency-Key`: the same order under a key is done once and answered again, another
 * one under it is refused. Its network and its nerves are as bad as `happen` says.
 */
export function createOrderService(happen: () => Happening, sleep: (ms: number) => Promise<void>) {
  const orders = new Map<string, { readonly id: string; readonly wanted: string }>()
  let calls = 0

  function place(key: string, wanted: string): Response {
    const { quantity } = JSON.parse(wanted) as { quantity: number }
    const known = orders.get(key)
    if (known && known.wanted !== wanted) {
      return Response.json({ type: 'urn:shop:problem:idempotency-key-reused' }, { status: 422 })
    }
    if (!known && quantity === 0) return Response.json({ title: 'nothing ordered' }, { status: 400 })
    const order = known ?? { id: `order-${orders.size + 1}`, wanted }
    orders.set(key, order)
    return Response.json({ id: order.id, quantity }, { status: 201 })
  }

  async function answer(request: Request): Promise<Response> {
    calls++
    const [key, wanted] = [request.headers.get('idempotency-key') ?? '', await request.text()]
    if (key === '') throw new Error('An order without a key cannot be asked for again')
    switch (happen()) {
      case 'answer':
        return place(key, wanted)
      case 'fail before':
        return new Response('no', { status: 503 })
      case 'fail after':
        place(key, wanted)
        return new Response('oh', { status: 500 })
      case 'lose the request':
        throw new TypeError('connection reset')
      case 'lose the answer':
        place(key, wanted)
        throw new TypeError('connection reset')
      case 'break off': {
        const { status } = place(key, wanted)
        const broken = new ReadableStream({ pull: (controller) => controller.error(new TypeError('connection reset')) })
        return new Response(broken, { status })
      }
      case 'slow':
        // Longer than the route waits: the order is placed when nobody listens any more.
        await sleep(12_000)
        return place(key, wanted)
    }
  }

  return {
    answer,
    get calls() {
      return calls
    },
    /** The ids of the orders it holds. */
    ids: () => [...orders.values()].map(({ id }) => id).sort(),
  }
}
