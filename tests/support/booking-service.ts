/** A booking, and whether it was taken back. */
interface Booking {
  readonly id: string
  readonly service: string
  readonly trip: string
  isCancelled: boolean
}

/**
 * Flights, hotels and payments, each on a port of its own, that honour `Idempotency-Key`: a key has one answer, and the work
 * is done once. `random` decides what goes wrong: refusals, and failures before and after the work.
 */
export function startBookingServices(random: () => number) {
  const bookings: Booking[] = []
  const answers = new Map<string, { readonly status: number; readonly body: object }>()
  let isCalm = false

  function perform(service: string, request: Request, trip: string): { status: number; body: object } {
    if (request.method === 'POST') {
      if (!isCalm && random() < 0.15) return { status: 409, body: { error: 'sold out' } }
      const booking = { id: crypto.randomUUID(), service, trip, isCancelled: false }
      bookings.push(booking)
      return { status: 201, body: { id: booking.id } }
    }
    const booking = bookings.find(({ id }) => request.url.endsWith(`/${id}`))
    if (booking) booking.isCancelled = true
    return { status: booking ? 200 : 404, body: {} }
  }

  const open = (service: string) =>
    Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      async fetch(request) {
        const { trip = '' } = request.method === 'POST' ? ((await request.json()) as { trip?: string }) : {}
        const fault = isCalm ? 1 : random()
        if (fault < 0.05) return new Response(null, { status: 503 })
        const key = `${service} ${request.headers.get('idempotency-key')}`
        const answer = answers.get(key) ?? perform(service, request, trip)
        answers.set(key, answer)
        if (fault < 0.1) return new Response(null, { status: 503 })
        return Response.json(answer.body, { status: answer.status })
      },
    })
  const servers = new Map(['flights', 'hotels', 'payments'].map((service) => [service, open(service)] as const))

  return {
    urlOf: (service: string) => `http://127.0.0.1:${servers.get(service)?.port}`,
    /** From now on everything goes well. */
    calm() {
      isCalm = true
    },
    /** The services whose bookings of a trip stand, sorted. */
    standing: (trip: string) =>
      bookings
        .filter((booking) => booking.trip === trip && !booking.isCancelled)
        .map(({ service }) => service)
        .sort(),
    get bookings(): readonly Booking[] {
      return bookings
    },
    async stop() {
      await Promise.all([...servers.values()].map((server) => server.stop(true)))
    },
  }
}
