import { describe, expect, test } from 'bun:test'
import { createBookingServices, openBooking, TRIP } from './test-booking.ts'

/** Two gateways, each with a journal of its own, before the same services: as on two machines. */

describe('a trip that comes to another machine', () => {
  test('is booked anew when it was undone on the first', async () => {
    let isSoldOut = true
    const services = createBookingServices((service, kind) =>
      service === 'payment' && kind === 'book' && isSoldOut ? 'refuse' : 'ok',
    )
    const first = await openBooking({ upstream: services.answer })
    const second = await openBooking({ upstream: services.answer })
    expect((await first.gateway.fetch(...TRIP('k'))).status).toBe(502)
    expect(services.standing).toEqual([])
    isSoldOut = false
    expect((await second.gateway.fetch(...TRIP('k'))).status).toBe(200)
    expect(services.standing).toEqual(['flight', 'hotel', 'payment'])
  })
})
