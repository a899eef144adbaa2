import { describe, expect, test } from 'bun:test'
import { until } from '../../tests/support/real-time.ts'
import { BOOKING, createBookingServices, openBooking, TRIP, writesOf } from './test-booking.ts'

const EMPTY = { open: 0, undoing: 0, parked: 0 }

describe('a key', () => {
  const lux = (key: string): [string, RequestInit] => ['/trips/lux', { ...TRIP(key)[1] }]

  test('of a completed request writes nothing else, which would never be taken back', async () => {
    const services = createBookingServices((service, _, nth) => (service === 'payment' && nth > 1 ? 'refuse' : 'ok'))
    const { gateway, storage } = await openBooking({ upstream: services.answer })
    expect((await gateway.fetch(...TRIP('k'))).status).toBe(200)
    const other = await gateway.fetch(...lux('k'))
    expect([other.status, await other.json()]).toMatchObject([
      422,
      { type: 'urn:sluice:problem:idempotency-key-reused', parts: [{ name: 'flight' }, {}, {}] },
    ])
    expect(services.calls).toHaveLength(3)
    expect(services.standing).toEqual(['flight', 'hotel', 'payment'])
    expect(await storage.counts()).toEqual(EMPTY)
  })

  test('of a request that was undone may write something else', async () => {
    const services = createBookingServices((service, _, nth) => (service === 'payment' && nth === 1 ? 'refuse' : 'ok'))
    const { gateway } = await openBooking({ upstream: services.answer })
    expect((await gateway.fetch(...TRIP('k'))).status).toBe(502)
    expect((await gateway.fetch(...lux('k'))).status).toBe(200)
    expect(services.standing).toEqual(['flight', 'hotel', 'payment'])
  })

  test('belongs to the address it came from where no caller is known', async () => {
    const services = createBookingServices()
    const { gateway } = await openBooking({ upstream: services.answer })
    const mine = await gateway.fetch(...TRIP('1'), { ip: '192.0.2.1' })
    const theirs = await gateway.fetch(...TRIP('1'), { ip: '192.0.2.2' })
    expect(await mine.json()).toMatchObject({ flight: { id: 'flight-1' } })
    expect(await theirs.json()).toMatchObject({ flight: { id: 'flight-2' } })
    expect(new Set(services.calls.map(({ key }) => key)).size).toBe(6)
  })

  test.each([
    { name: 'empty', key: '' },
    { name: 'two of them', key: 'a, b' },
    { name: 'longer than anybody needs', key: 'k'.repeat(256) },
  ])('that is none is refused before anything is written: $name', async ({ key }) => {
    const services = createBookingServices()
    const { gateway } = await openBooking({ upstream: services.answer })
    const response = await gateway.fetch(...TRIP(key))
    expect([response.status, await response.json()]).toMatchObject([
      400,
      { detail: expect.stringContaining('1 to 255 printable ASCII characters') },
    ])
    expect(services.calls).toEqual([])
  })

  test('is the same in quotes and without', async () => {
    const services = createBookingServices()
    const { gateway } = await openBooking({ upstream: services.answer })
    for (const key of ['k', '"k"']) expect((await gateway.fetch(...TRIP(key))).status).toBe(200)
    expect(services.standing).toEqual(['flight', 'hotel', 'payment'])
  })

  test('works for parts whose names mean something to JavaScript', async () => {
    const services = createBookingServices((service, _, nth) => (service === 'hotel' && nth === 1 ? 'refuse' : 'ok'))
    const cancel = { method: 'DELETE', path: '/bookings/{parts.toString.body.id}' }
    const parts = Object.fromEntries([
      ['toString', { ...BOOKING.flight, compensate: cancel }],
      ['valueOf', { ...BOOKING.hotel, after: ['toString'], compensate: 'none' }],
    ])
    const { gateway } = await openBooking({ upstream: services.answer, parts })
    const first = await gateway.fetch(...TRIP('k'))
    expect([first.status, await writesOf(first)]).toEqual([502, { toString: 'undone', valueOf: 'not-done' }])
    for (let i = 0; i < 2; i++) expect((await gateway.fetch(...TRIP('k'))).status).toBe(200)
    expect(services.standing).toEqual(['flight', 'hotel'])
  })
})

describe('a write that could not be undone', () => {
  const ID = '{parts.flight.body.id}'
  test.each([
    { name: 'for want of a value', path: `/b/${ID}/{query.tenant}`, cause: 'A value for "query.tenant" is needed' },
    { name: 'as a value is a dot segment', path: `/b/${ID}/{body.dots}`, cause: 'is a dot segment' },
    { name: 'as a value can be no field', headers: { 'x-note': '{body.lines}' }, cause: 'cannot stand in a header' },
    { name: 'as a value was rounded', body: { n: '{body.big}' }, cause: 'has more digits than can be kept' },
    { name: 'as its path is too long', path: `/b/${ID}/{body.long}`, cause: 'more than 16384 characters' },
    { name: 'as a field is too long', headers: { 'x-note': '{body.long}' }, cause: 'more than 16384 characters' },
  ])('is not made: $name', async ({ cause, name: _, ...undoing }) => {
    const services = createBookingServices()
    const compensate = { method: 'DELETE', path: `/b/${ID}`, ...undoing }
    const parts = { ...BOOKING, flight: { ...BOOKING.flight, compensate } }
    const { gateway, storage } = await openBooking({ upstream: services.answer, parts })
    const sent = `{"dots":"..","lines":"a\\r\\nb: c","big":12345678901234567890,"long":"${'x'.repeat(16_384)}"}`
    const response = await gateway.fetch('/trips/1', {
      method: 'POST',
      body: sent,
      headers: { 'content-type': 'application/json' },
    })
    expect(response.status).toBe(400)
    const { detail } = (await response.json()) as { detail: string }
    expect(detail).toMatch(/^The part "flight" failed: it could not be undone: /)
    expect(detail).toContain(cause)
    expect(services.calls).toEqual([])
    expect(await storage.counts()).toEqual(EMPTY)
  })

  test('is not made for want of what another part did not bring, which is no fault of the client', async () => {
    const services = createBookingServices()
    const compensate = { method: 'DELETE', path: `/b/{parts.flight.body.none}/{parts.hotel.body.id}` }
    const parts = { ...BOOKING, hotel: { ...BOOKING.hotel, compensate } }
    const { gateway } = await openBooking({ upstream: services.answer, parts })
    const response = await gateway.fetch(...TRIP())
    expect([response.status, await writesOf(response)]).toEqual([502, { flight: 'undone' }])
    expect(services.calls.map(({ service, kind }) => [service, kind])).toEqual([
      ['flight', 'book'],
      ['flight', 'cancel'],
    ])
  })

  test('is none whose compensation reads its own reply, a value of it and all of it', async () => {
    const services = createBookingServices((service) => (service === 'hotel' ? 'refuse' : 'ok'))
    const compensate = { method: 'DELETE', path: `/bookings/${ID}`, body: { all: '{parts.flight.body}' } }
    const parts = { ...BOOKING, flight: { ...BOOKING.flight, compensate } }
    const { gateway } = await openBooking({ upstream: services.answer, parts })
    const response = await gateway.fetch(...TRIP())
    expect(await writesOf(response)).toEqual({ flight: 'undone', hotel: 'not-done' })
  })
})

test('the journal has the path of a request, and nothing of its query', async () => {
  const services = createBookingServices(() => 'hang')
  const { gateway, storage } = await openBooking({ upstream: services.answer })
  void gateway.fetch('/trips/1?token=secret', { method: 'POST' })
  await until('the write is noted', async () => (await storage.counts()).open === 1)
  const [saga] = await storage.list('open', 1)
  expect(saga?.draft.path).toBe('/trips/1')
  expect(JSON.stringify(saga)).not.toContain('secret')
})
