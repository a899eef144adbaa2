/** A booking, and whether it was taken back. */
interface Booking {
  readonly id: string
  readonly service: string
  readonly trip: string
  isCancelled: boolean
}

/** A call as its service saw it arrive. */
export interface BookingCall {
  readonly service: string
  readonly kind: 'book' | 'cancel'
  readonly trip: string
  /** Of a cancellation, the booking's. */
  readonly id: string
  readonly key: string
  /** Whose address of the service was called. */
  readonly sender: string
}

export interface BookingServicesOptions {
  /** Decides by chance what goes wrong: refusals, and failures before and after the work. Nothing does when left out. */
  readonly random?: () => number
  /** Bookings that are refused, whatever chance says. */
  readonly refuses?: (call: BookingCall) => boolean
  /** Runs after the work and before its answer. */
  readonly beforeAnswer?: (call: BookingCall) => void | Promise<void>
}

/**
 * Flights, hotels and payments, each on ports of its own, that honour `Idempotency-Key`: a key has one answer, and the work
 * is done once.
 */
export function startBookingServices({ random, refuses, beforeAnswer }: BookingServicesOptions = {}) {
  const bookings: Booking[] = []
  const calls: BookingCall[] = []
  const answers = new Map<string, { readonly status: number; readonly body: object }>()
  const servers = new Map<string, Bun.Server<undefined>>()
  let isCalm = random === undefined

  function perform(call: BookingCall): { status: number; body: object } {
    const { service, kind, trip, id } = call
    if (kind === 'book') {
      if (refuses?.(call) || (!isCalm && (random?.() ?? 1) < 0.15)) return { status: 409, body: { error: 'sold out' } }
      const booking = { id: crypto.randomUUID(), service, trip, isCancelled: false }
      bookings.push(booking)
      return { status: 201, body: { id: booking.id } }
    }
    const booking = bookings.find((each) => each.id === id)
    if (booking) booking.isCancelled = true
    return { status: booking ? 200 : 404, body: {} }
  }

  async function read(service: string, sender: string, request: Request): Promise<BookingCall> {
    const key = request.headers.get('idempotency-key') ?? ''
    if (request.method === 'POST') {
      const { trip = '' } = (await request.json()) as { trip?: string }
      return { service, sender, key, kind: 'book', trip, id: '' }
    }
    const id = request.url.slice(request.url.lastIndexOf('/') + 1)
    const trip = bookings.find((booking) => booking.id === id)?.trip ?? ''
    return { service, sender, key, kind: 'cancel', trip, id }
  }

  const open = (service: string, sender: string) =>
    Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      idleTimeout: 0,
      async fetch(request) {
        const call = await read(service, sender, request)
        calls.push(call)
        const fault = isCalm ? 1 : (random?.() ?? 1)
        if (fault < 0.05) return new Response(null, { status: 503 })
        const key = `${service} ${call.key}`
        const answer = answers.get(key) ?? perform(call)
        answers.set(key, answer)
        await beforeAnswer?.(call)
        if (fault < 0.1) return new Response(null, { status: 503 })
        return Response.json(answer.body, { status: answer.status })
      },
    })

  return {
    /** Where a service is; another address for each sender, so that it can be told which of them has called. */
    urlOf(service: string, sender = ''): string {
      const name = `${service} ${sender}`
      const server = servers.get(name) ?? open(service, sender)
      servers.set(name, server)
      return `http://127.0.0.1:${server.port}`
    },
    /** From now on everything goes well, but for what is refused. */
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
    /** Every call, in the order in which they arrived. */
    get calls(): readonly BookingCall[] {
      return calls
    },
    async stop() {
      await Promise.all([...servers.values()].map((server) => server.stop(true)))
    },
  }
}

export type BookingServices = ReturnType<typeof startBookingServices>
