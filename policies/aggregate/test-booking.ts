import { createSagaGateway, type SagaGatewayOptions } from '../../tests/support/saga-gateway.ts'

/** What happens to a call of the booking services; `fail-late` does it and answers 503, `lost` does it and is cut off. */
export type Happening = 'ok' | 'refuse' | 'fail' | 'fail-late' | 'lost' | 'hang' | 'unreadable'

export interface Effect {
  readonly service: string
  readonly id: string
  cancelled: boolean
}

/**
 * Flight, hotel and payment in memory, which honour keys: the same key, the same answer, and the work done once. A
 * cancellation of what is not there, or is cancelled already, is 204 too.
 */
export function createBookingServices(
  happen: (service: string, kind: 'book' | 'cancel', nth: number) => Happening = () => 'ok',
) {
  const effects: Effect[] = []
  const answers = new Map<string, Response>()
  const calls: {
    readonly service: string
    readonly kind: 'book' | 'cancel'
    readonly id: string
    readonly key: string
  }[] = []
  const counts = new Map<string, number>()

  function perform(service: string, kind: 'book' | 'cancel', path: string): Response {
    if (kind === 'book') {
      const id = `${service}-${effects.filter((effect) => effect.service === service).length + 1}`
      effects.push({ service, id, cancelled: false })
      return Response.json({ id, price: 7 }, { status: 201 })
    }
    const effect = effects.find(({ id }) => path.endsWith(`/${id}`))
    if (effect) effect.cancelled = true
    return new Response(null, { status: 204 })
  }

  async function answer(request: Request): Promise<Response> {
    const { hostname, pathname } = new URL(request.url)
    const [service = ''] = hostname.split('.')
    const kind = request.method === 'DELETE' ? 'cancel' : 'book'
    const key = request.headers.get('idempotency-key') ?? ''
    const nth = (counts.get(`${service} ${kind}`) ?? 0) + 1
    counts.set(`${service} ${kind}`, nth)
    calls.push({ service, kind, id: pathname.split('/').at(-1) ?? '', key })
    const happening = happen(service, kind, nth)
    if (happening === 'refuse') return Response.json({ error: 'sold out' }, { status: 409 })
    if (happening === 'fail') return new Response(null, { status: 503 })
    if (happening === 'hang') return new Promise(() => {})
    const known = answers.get(key)
    const done = known ?? perform(service, kind, pathname)
    answers.set(key, done)
    if (happening === 'fail-late') return new Response(null, { status: 503 })
    if (happening === 'lost') throw new TypeError('connection reset')
    if (happening === 'unreadable')
      return new Response('{"id":', { status: 201, headers: { 'content-type': 'application/json' } })
    return done.clone()
  }

  return {
    answer,
    calls: calls as readonly (typeof calls)[number][],
    /** Bookings that stand. */
    get standing() {
      return effects.filter(({ cancelled }) => !cancelled).map(({ service }) => service)
    },
    effects: effects as readonly Effect[],
    /** Services whose cancellations were asked for, in order. */
    get cancellations() {
      return calls.filter(({ kind }) => kind === 'cancel').map(({ service }) => service)
    },
  }
}

const write = (upstream: string, after: readonly string[] = []) => ({
  upstream,
  method: 'POST',
  path: '/bookings',
  body: { trip: '{params.id}' },
  required: true,
  ...(after.length > 0 && { after }),
  compensate: { method: 'DELETE', path: `/bookings/{parts.${upstream}.body.id}` },
})

/** Flight, then hotel, then payment. */
export const BOOKING: Readonly<Record<string, object>> = {
  flight: write('flight'),
  hotel: write('hotel', ['flight']),
  payment: write('payment', ['hotel']),
}

export interface BookingOptions extends Omit<SagaGatewayOptions, 'config' | 'upstream'> {
  readonly parts?: Readonly<Record<string, object>>
  readonly settings?: object
  readonly upstreamPolicies?: readonly unknown[]
  readonly upstream?: (request: Request) => Promise<Response>
}

/** A gateway with one route, `POST /trips/:id`, that books what `parts` say; each upstream has a part's name. */
export function openBooking(options: BookingOptions) {
  const { parts = BOOKING, settings, methods = ['POST'], upstreamPolicies = [], ...given } = options
  const named = Object.values(parts).map((part) => ('upstream' in part ? String(part.upstream) : ''))
  const upstreams = [...new Set(named)].map((name) => [
    name,
    { url: `http://${name}.test`, policies: upstreamPolicies },
  ])
  return createSagaGateway({
    ...given,
    config: JSON.stringify({
      version: 1,
      upstreams: Object.fromEntries(upstreams),
      routes: { trips: { path: '/trips/:id', methods, policies: [{ aggregate: { parts, ...settings } }] } },
    }),
  })
}

/** A request to book trip 1. */
export const TRIP = (key?: string): [string, RequestInit] => [
  '/trips/1',
  { method: 'POST', headers: key === undefined ? {} : { 'idempotency-key': key } },
]

/** What of the writes stands in an answer, by part. */
export async function writesOf(response: Response): Promise<Record<string, string>> {
  const { writes = [] } = (await response.json()) as { writes?: { part: string; outcome: string }[] }
  return Object.fromEntries(writes.map(({ part, outcome }) => [part, outcome]))
}
