import { describe, expect, test } from 'bun:test'
import { until } from '../../tests/support/real-time.ts'
import { BOOKING, createBookingServices, type Happening, openBooking, TRIP, writesOf } from './test-booking.ts'

const EMPTY = { open: 0, undoing: 0, parked: 0 }

/** What happens to one booking; everything else goes well. */
function at(service: string, happening: Happening, kind: 'book' | 'cancel' = 'book', times = 1) {
  return createBookingServices((name, what, nth) =>
    name === service && what === kind && nth <= times ? happening : 'ok',
  )
}

describe('a booking', () => {
  test('is made in order, each write with a key of its own, and leaves nothing in the journal', async () => {
    const services = createBookingServices()
    const { gateway, storage } = await openBooking({ upstream: services.answer })
    const response = await gateway.fetch(...TRIP())
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({
      flight: { id: 'flight-1', price: 7 },
      hotel: { id: 'hotel-1', price: 7 },
      payment: { id: 'payment-1', price: 7 },
    })
    expect(services.calls.map(({ service }) => service)).toEqual(['flight', 'hotel', 'payment'])
    const keys = services.calls.map(({ key }) => key)
    expect(new Set(keys).size).toBe(3)
    for (const key of keys) expect(key).toMatch(/^[0-9a-f]{32}$/)
    expect(await storage.counts()).toEqual(EMPTY)
    expect(gateway.records[0]?.policies).toMatchObject({
      aggregate: {
        complete: true,
        writes: [{ part: 'flight', outcome: 'done' }, { outcome: 'done' }, { outcome: 'done' }],
      },
    })
  })

  test('may be of one thing, whose compensation reads its own reply and nothing else', async () => {
    const services = createBookingServices()
    const { gateway } = await openBooking({ parts: { flight: BOOKING.flight ?? {} }, upstream: services.answer })
    const response = await gateway.fetch(...TRIP())
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({ flight: { id: 'flight-1', price: 7 } })
  })

  test('is the same booking when its client asks again with its key', async () => {
    const services = createBookingServices()
    const { gateway } = await openBooking({ upstream: services.answer })
    const first = await gateway.fetch(...TRIP('k'))
    const second = await gateway.fetch(...TRIP('k'))
    expect([first.status, second.status]).toEqual([200, 200])
    expect(await second.json()).toEqual(await first.json())
    expect(services.standing).toEqual(['flight', 'hotel', 'payment'])
  })

  test('is another booking without a key', async () => {
    const services = createBookingServices()
    const { gateway } = await openBooking({ upstream: services.answer })
    await gateway.fetch(...TRIP())
    await gateway.fetch(...TRIP())
    expect(services.standing).toHaveLength(6)
  })
})

describe('a booking that fails', () => {
  test.each([
    { name: 'the first is refused', at: 'flight', happening: 'refuse', writes: { flight: 'not-done' }, cancelled: [] },
    {
      name: 'the second is refused',
      at: 'hotel',
      happening: 'refuse',
      writes: { flight: 'undone', hotel: 'not-done' },
      cancelled: ['flight'],
    },
    {
      name: 'the third is refused',
      at: 'payment',
      happening: 'refuse',
      writes: { flight: 'undone', hotel: 'undone', payment: 'not-done' },
      cancelled: ['hotel', 'flight'],
    },
    {
      name: 'the first fails after it was done',
      at: 'flight',
      happening: 'fail-late',
      writes: { flight: 'undone' },
      cancelled: ['flight'],
    },
    {
      name: 'the third fails after it was done',
      at: 'payment',
      happening: 'fail-late',
      writes: { flight: 'undone', hotel: 'undone', payment: 'undone' },
      cancelled: ['payment', 'hotel', 'flight'],
    },
    {
      name: 'the answer to the second is lost',
      at: 'hotel',
      happening: 'lost',
      writes: { flight: 'undone', hotel: 'undone' },
      cancelled: ['hotel', 'flight'],
    },
    {
      name: 'the second fails before it is done, and works when asked again',
      at: 'hotel',
      happening: 'fail',
      writes: { flight: 'undone', hotel: 'undone' },
      cancelled: ['hotel', 'flight'],
    },
    {
      name: 'the reply to the third cannot be read',
      at: 'payment',
      happening: 'unreadable',
      writes: { flight: 'undone', hotel: 'undone', payment: 'undone' },
      cancelled: ['payment', 'hotel', 'flight'],
    },
  ] as const)('is undone, last first: $name', async ({ at: service, happening, writes, cancelled }) => {
    const services = at(service, happening)
    const { gateway, storage } = await openBooking({ upstream: services.answer })
    const response = await gateway.fetch(...TRIP())
    expect(response.status).toBe(502)
    expect(await writesOf(response)).toEqual(writes)
    expect(services.cancellations).toEqual([...cancelled])
    expect(services.standing).toEqual([])
    expect(await storage.counts()).toEqual(EMPTY)
  })

  test('is undone too when an earlier try was done and only the last one refused', async () => {
    const happenings: readonly Happening[] = ['fail-late', 'refuse']
    const services = createBookingServices((_, kind, nth) => (kind === 'book' ? (happenings[nth - 1] ?? 'ok') : 'ok'))
    const { gateway, clock } = await openBooking({
      upstream: services.answer,
      parts: { flight: BOOKING.flight ?? {} },
      upstreamPolicies: [{ retry: { attempts: 2, 'idempotency-key': true, backoff: '1ms' } }],
    })
    let answer: Response | undefined
    gateway.fetch(...TRIP()).then((response) => {
      answer = response
    })
    // Its keys are digests, of which the clock knows nothing: the pause before the second try begins when they are there.
    await until('the answer', async () => {
      await clock.advance(5)
      return answer !== undefined
    })
    expect(answer && (await writesOf(answer))).toEqual({ flight: 'undone' })
    expect(services.effects).toHaveLength(1)
    expect(services.standing).toEqual([])
  })

  test('says which part failed, and nothing of addresses', async () => {
    const services = at('payment', 'refuse')
    const { gateway } = await openBooking({ upstream: services.answer })
    const text = await (await gateway.fetch(...TRIP())).text()
    expect(JSON.parse(text)).toMatchObject({
      type: 'urn:sluice:problem:upstream-invalid-response',
      parts: [{ name: 'payment', error: 'status', status: 409 }],
      writes: [
        { part: 'flight', outcome: 'undone' },
        { part: 'hotel', outcome: 'undone' },
        { part: 'payment', outcome: 'not-done' },
      ],
    })
    expect(text).not.toContain('.test')
    expect(text).not.toContain('/bookings')
  })

  test('passes the status of a refusal on where that is declared', async () => {
    const services = at('payment', 'refuse')
    const parts = { ...BOOKING, payment: { ...BOOKING.payment, 'pass-status': [409] } }
    const response = await (await openBooking({ upstream: services.answer, parts })).gateway.fetch(...TRIP())
    expect(response.status).toBe(409)
    expect(await writesOf(response)).toEqual({ flight: 'undone', hotel: 'undone', payment: 'not-done' })
  })

  test('is undone when its time is up, and says that it is under way', async () => {
    const services = at('payment', 'hang')
    const { gateway, clock, storage } = await openBooking({ upstream: services.answer, settings: { timeout: '2s' } })
    const untilAsked = (calls: number) => until(`${calls} calls`, () => services.calls.length === calls)
    const answer = gateway.fetch(...TRIP())
    await untilAsked(3)
    await clock.advance(2_000)
    const response = await answer
    expect(response.status).toBe(504)
    expect(await writesOf(response)).toEqual({ flight: 'undone', hotel: 'undone', payment: 'undone' })
    expect(services.standing).toEqual([])
    expect(await storage.counts()).toEqual(EMPTY)
  })

  test('is undone when its client leaves', async () => {
    const services = at('payment', 'hang')
    const { gateway, clock, storage } = await openBooking({ upstream: services.answer })
    const gone = new AbortController()
    const answer = gateway.fetch(...TRIP(), { gone: gone.signal })
    await until('three calls', () => services.calls.length === 3)
    expect(services.standing).toEqual(['flight', 'hotel'])
    gone.abort()
    expect((await answer).status).toBe(499)
    await until('all undone', async () => {
      await clock.advance(1_000)
      return (await storage.counts()).undoing + (await storage.counts()).open === 0
    })
    expect(services.standing).toEqual([])
    expect(await storage.counts()).toEqual(EMPTY)
  })

  test('is tried again until it is undone, and the answer does not wait for that', async () => {
    const services = createBookingServices((service, kind, nth) =>
      service === 'payment' && kind === 'book'
        ? 'refuse'
        : service === 'hotel' && kind === 'cancel' && nth <= 3
          ? 'fail'
          : 'ok',
    )
    const { gateway, clock, storage, telemetry } = await openBooking({ upstream: services.answer })
    const response = await gateway.fetch(...TRIP())
    expect(await writesOf(response)).toEqual({ flight: 'undoing', hotel: 'undoing', payment: 'not-done' })
    expect(await storage.counts()).toEqual({ ...EMPTY, undoing: 1 })
    await clock.advance(60_000)
    expect(services.cancellations).toEqual(['hotel', 'hotel', 'hotel', 'hotel', 'flight'])
    expect(services.standing).toEqual([])
    expect(await storage.counts()).toEqual(EMPTY)
    expect(telemetry.valueOf('sluice_compensations_total', { outcome: 'postponed' })).toBe(3)
    expect(telemetry.valueOf('sluice_compensations_total', { outcome: 'undone' })).toBe(2)
  })

  test('sends a compensation with the same key each time, and another than the write', async () => {
    const services = createBookingServices((service, kind, nth) =>
      service === 'hotel' && kind === 'book' ? 'refuse' : kind === 'cancel' && nth <= 2 ? 'lost' : 'ok',
    )
    const { gateway, clock } = await openBooking({ upstream: services.answer })
    await gateway.fetch(...TRIP('k'))
    await clock.advance(30_000)
    const keysOf = (kind: 'book' | 'cancel') =>
      services.calls.filter((call) => call.service === 'flight' && call.kind === kind).map(({ key }) => key)
    expect(keysOf('cancel')).toHaveLength(3)
    expect(new Set([...keysOf('cancel'), ...keysOf('book')]).size).toBe(2)
    expect(services.standing).toEqual([])
  })

  test('can be made again with the same key once it is undone', async () => {
    const services = at('payment', 'refuse')
    const { gateway } = await openBooking({ upstream: services.answer })
    expect((await gateway.fetch(...TRIP('k'))).status).toBe(502)
    const again = await gateway.fetch(...TRIP('k'))
    expect(again.status).toBe(200)
    expect(await again.json()).toMatchObject({ flight: { id: 'flight-2' }, payment: { id: 'payment-1' } })
    expect(services.standing).toEqual(['flight', 'hotel', 'payment'])
  })

  test('cannot be made again with the same key while it is being undone', async () => {
    const services = createBookingServices((service, kind, nth) =>
      service === 'hotel' && kind === 'book' && nth === 1 ? 'refuse' : kind === 'cancel' && nth === 1 ? 'fail' : 'ok',
    )
    const { gateway, clock } = await openBooking({ upstream: services.answer })
    expect((await gateway.fetch(...TRIP('k'))).status).toBe(502)
    const early = await gateway.fetch(...TRIP('k'))
    expect([early.status, early.headers.get('retry-after'), await early.json()]).toMatchObject([
      409,
      '1',
      {
        type: 'urn:sluice:problem:idempotency-key-in-use',
        title: 'The Idempotency-Key is in use',
        detail: 'Writes of the first request with it are still being undone',
      },
    ])
    expect(gateway.records.at(-1)).toMatchObject({ status: 409, cause: expect.stringContaining('saga-1 is undoing') })
    await clock.advance(1_000)
    expect((await gateway.fetch(...TRIP('k'))).status).toBe(200)
    expect(services.standing).toEqual(['flight', 'hotel', 'payment'])
  })

  test('takes nothing back of a request that was completed however often a repeat of it fails', async () => {
    let isDown = false
    const services = createBookingServices((service) => (isDown && service === 'hotel' ? 'fail' : 'ok'))
    const { gateway, clock, storage } = await openBooking({ upstream: services.answer })
    expect((await gateway.fetch(...TRIP('k'))).status).toBe(200)
    isDown = true
    for (let i = 0; i < 2; i++) {
      const repeat = await gateway.fetch(...TRIP('k'))
      expect([repeat.status, await writesOf(repeat)]).toEqual([502, { flight: 'done', hotel: 'done' }])
    }
    isDown = false
    await clock.advance(60_000)
    expect(await storage.counts()).toEqual(EMPTY)
    expect((await gateway.fetch(...TRIP('k'))).status).toBe(200)
    expect(services.effects.map(({ service, cancelled }) => [service, cancelled])).toEqual([
      ['flight', false],
      ['hotel', false],
      ['payment', false],
    ])
  })
})
