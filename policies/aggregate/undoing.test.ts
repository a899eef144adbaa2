import { describe, expect, test } from 'bun:test'
import { unavailableJournal } from '../../gateway/runtimes/workers/unavailable-journal.ts'
import { createCompensationOperations } from '../../gateway/saga/compensation-operations.ts'
import { createMemorySagas } from '../../gateway/saga/memory-sagas.ts'
import type { SagaStorage } from '../../gateway/saga/saga-storage.ts'
import { createTestGateway, TEST_START } from '../../tests/support/gateway.ts'
import { until } from '../../tests/support/real-time.ts'
import { createVirtualClock } from '../../tests/support/virtual-clock.ts'
import { BOOKING, createBookingServices, openBooking, TRIP, writesOf } from './test-booking.ts'

const EMPTY = { open: 0, undoing: 0, parked: 0 }

describe('a write that cannot be undone', () => {
  async function openStuck(happening: 'refuse-cancel' | 'fail-cancel') {
    let isMended = false
    const services = createBookingServices((service, kind) =>
      service === 'payment' && kind === 'book'
        ? 'refuse'
        : service === 'hotel' && kind === 'cancel' && !isMended
          ? 'fail'
          : 'ok',
    )
    const upstream = async (request: Request) => {
      const answer = await services.answer(request)
      const isRefused = happening === 'refuse-cancel' && request.method === 'DELETE' && request.url.includes('hotel')
      return isRefused && !isMended ? new Response(null, { status: 422 }) : answer
    }
    const scene = await openBooking({ upstream, settings: { 'compensate-within': '1m' } })
    const mend = () => {
      isMended = true
    }
    return {
      ...scene,
      services,
      mend,
      operations: createCompensationOperations({ ...scene, tryNow: scene.undoer.tryNow }),
    }
  }

  test('is parked at once when that is refused, and what came before is undone all the same', async () => {
    const { gateway, storage, services, operations, telemetry } = await openStuck('refuse-cancel')
    const response = await gateway.fetch(...TRIP('k'))
    expect(await writesOf(response)).toEqual({ flight: 'undone', hotel: 'undoing', payment: 'not-done' })
    expect(await storage.counts()).toEqual({ ...EMPTY, parked: 1 })
    expect(services.standing).toEqual(['hotel'])
    const { sagas } = await operations.list({ limit: 10 })
    expect(sagas).toMatchObject([
      {
        state: 'parked',
        route: 'trips',
        path: '/trips/1',
        idempotencyKey: 'k',
        requestId: 'id-1',
        reason: 'hotel: the upstream refuses to undo it: status 422',
        writes: [
          { part: 'flight', stage: 'undone' },
          { part: 'hotel', stage: 'done', isStuck: true, undoneBy: 'DELETE /bookings/hotel-1 at upstream "hotel"' },
          { part: 'payment', stage: 'not-done' },
        ],
      },
    ])
    expect(telemetry.valueOf('sluice_compensations_total', { outcome: 'parked' })).toBe(1)
    const repeat = await gateway.fetch(...TRIP('k'))
    expect([repeat.status, repeat.headers.has('retry-after'), await repeat.json()]).toMatchObject([
      409,
      false,
      { detail: expect.stringContaining('could not be undone: they wait for an operator') },
    ])
  })

  test('is tried for as long as compensate-within says, then parked, and undone when an operator says so', async () => {
    const { gateway, storage, services, operations, clock, mend } = await openStuck('fail-cancel')
    await gateway.fetch(...TRIP('k'))
    await clock.advance(59_000)
    expect(await storage.counts()).toEqual({ ...EMPTY, undoing: 1 })
    await clock.advance(10_000)
    expect(await storage.counts()).toEqual({ ...EMPTY, parked: 1 })
    const [parked] = (await operations.list({ state: 'parked', limit: 1 })).sagas
    expect(parked?.reason).toMatch(/^hotel: not undone in time, tried \d+ times: status 503$/)
    expect(services.standing).toEqual(['hotel'])
    mend()
    expect(await operations.retry(parked?.id ?? '')).toMatchObject({ id: parked?.id })
    await clock.advance(30_000)
    expect(services.standing).toEqual([])
    expect(await storage.counts()).toEqual(EMPTY)
    expect(await operations.show(parked?.id ?? '').catch((error: unknown) => error)).toMatchObject({
      kind: 'not-found',
    })
  })

  test('is left as it is when an operator says so', async () => {
    const { gateway, storage, services, operations, undoer } = await openStuck('refuse-cancel')
    await gateway.fetch(...TRIP())
    const [parked] = (await operations.list({ limit: 1 })).sagas
    await operations.discard(parked?.id ?? '')
    undoer.wake()
    expect(await storage.counts()).toEqual(EMPTY)
    expect(services.standing).toEqual(['hotel'])
  })
})

describe('a journal that cannot be written for a while', () => {
  test('has a compensation that could not be noted repeated with its key, more and more rarely', async () => {
    const services = createBookingServices((service, kind) =>
      service === 'payment' && kind === 'book' ? 'refuse' : 'ok',
    )
    const clock = createVirtualClock(TEST_START)
    const memory = createMemorySagas({ now: clock.now })
    let isFull = true
    const storage: SagaStorage = {
      ...memory,
      change: (id, change) =>
        memory.change(id, (entry) => {
          const changed = change(entry)
          if (isFull && changed.writes.some(({ stage }) => stage === 'undone')) throw new Error('disk is full')
          return changed
        }),
    }
    const { gateway } = await openBooking({ upstream: services.answer, clock, storage })
    const answer = gateway.fetch(...TRIP('k'))
    await until('the first attempt', () => services.calls.some(({ kind }) => kind === 'cancel'))
    await clock.advance(61_000)
    expect(await writesOf(await answer)).toMatchObject({ flight: 'undoing', hotel: 'undoing' })
    const cancels = services.calls.filter(({ kind }) => kind === 'cancel')
    // At once, then after 1, 2, 4, 8, 16 and 30 s.
    expect(cancels).toHaveLength(7)
    expect(new Set(cancels.map(({ service, key }) => `${service} ${key}`)).size).toBe(1)

    isFull = false
    await clock.advance(31_000)
    expect(services.standing).toEqual([])
    expect(await storage.counts()).toEqual(EMPTY)
  })
})

describe('a write of which nobody knows', () => {
  const BLIND = {
    ...BOOKING,
    payment: {
      ...BOOKING.payment,
      compensate: { path: '/refunds', body: { key: '{write.key}' }, 'when-unknown': 'compensate' },
    },
  }

  test('is undone by its key, without being made again, where that is declared', async () => {
    const refunds: unknown[] = []
    const services = createBookingServices((service) => (service === 'payment' ? 'fail' : 'ok'))
    const upstream = async (request: Request) => {
      if (!request.url.endsWith('/refunds')) return services.answer(request)
      refunds.push(await request.json())
      return new Response(null, { status: 200 })
    }
    const { gateway } = await openBooking({ upstream, parts: BLIND })
    const response = await gateway.fetch(...TRIP())
    expect(await writesOf(response)).toEqual({ flight: 'undone', hotel: 'undone', payment: 'undone' })
    const payments = services.calls.filter(({ service }) => service === 'payment')
    expect(payments).toHaveLength(1)
    expect(refunds).toEqual([{ key: payments[0]?.key }])
  })

  test('was not done when the service says "conflict" half a minute later, or by a status that is declared', async () => {
    for (const passed of [undefined, [409]]) {
      let isFirst = true
      const services = createBookingServices((service) => {
        if (service !== 'hotel') return 'ok'
        const happening = isFirst ? 'fail' : 'refuse'
        isFirst = false
        return happening
      })
      const parts = { ...BOOKING, hotel: { ...BOOKING.hotel, ...(passed && { 'pass-status': passed }) } }
      const { gateway, clock, storage } = await openBooking({ upstream: services.answer, parts })
      const response = await gateway.fetch(...TRIP())
      const hotel = passed ? 'not-done' : 'undoing'
      expect(await writesOf(response)).toMatchObject({ hotel })
      await clock.advance(40_000)
      expect(await storage.counts()).toEqual(EMPTY)
      expect(services.standing).toEqual([])
    }
  })

  test('is undone although the answer succeeds without it', async () => {
    const services = createBookingServices((service, kind, nth) =>
      service === 'other' && kind === 'book' && nth === 1 ? 'fail-late' : 'ok',
    )
    const extra = {
      upstream: 'other',
      method: 'POST',
      path: '/bookings',
      after: ['payment'],
      compensate: { method: 'DELETE', path: '/bookings/{parts.extra.body.id}' },
    }
    const { gateway, clock, storage } = await openBooking({ upstream: services.answer, parts: { ...BOOKING, extra } })
    const response = await gateway.fetch(...TRIP())
    expect([response.status, response.headers.get('composition-complete')]).toEqual([200, '?0'])
    await until('it is undone', async () => {
      await clock.advance(1_000)
      return (await storage.counts()).undoing === 0
    })
    expect(services.standing).toEqual(['flight', 'hotel', 'payment'])
    expect(services.cancellations).toEqual(['other'])
  })

  test('stays when it has no compensation, and is told', async () => {
    const services = createBookingServices((service) => (service === 'payment' ? 'refuse' : 'ok'))
    const parts = { ...BOOKING, flight: { ...BOOKING.flight, compensate: 'none' } }
    const { gateway, storage } = await openBooking({ upstream: services.answer, parts })
    expect(await writesOf(await gateway.fetch(...TRIP()))).toEqual({
      flight: 'done',
      hotel: 'undone',
      payment: 'not-done',
    })
    expect(services.standing).toEqual(['flight'])
    expect(await storage.counts()).toEqual(EMPTY)
  })
})

describe('a journal that cannot be written', () => {
  test('is none at all on Workers, where the route answers 501', async () => {
    const services = createBookingServices()
    const { gateway } = await openBooking({ upstream: services.answer, services: {} })
    const withoutJournal = await createTestGateway({
      services: { journal: unavailableJournal },
      upstream: services.answer,
      policies: [
        { aggregate: { parts: { a: { upstream: 'upstream', method: 'POST', path: '/x', compensate: 'none' } } } },
      ],
    })
    expect((await withoutJournal.fetch('/x/1')).status).toBe(501)
    expect(services.calls).toEqual([])
    expect((await gateway.fetch(...TRIP())).status).toBe(200)
  })

  test('lets nothing be written to any service', async () => {
    const services = createBookingServices()
    const { createMemorySagas } = await import('../../gateway/saga/memory-sagas.ts')
    const storage = createMemorySagas({ capacity: 0, now: () => 0 })
    const { gateway } = await openBooking({ upstream: services.answer, storage })
    const response = await gateway.fetch(...TRIP())
    expect([response.status, services.calls]).toEqual([503, []])
  })

  test('undoes what it could not note as complete', async () => {
    const services = createBookingServices()
    const { createMemorySagas } = await import('../../gateway/saga/memory-sagas.ts')
    const inner = createMemorySagas({ now: () => 0 })
    let broken = true
    const storage: typeof inner = {
      ...inner,
      change: (id, change) =>
        inner.change(id, (entry) => {
          const changed = change(entry)
          if (broken && changed.state === 'done') throw new Error('disk full')
          return changed
        }),
    }
    const { gateway, clock } = await openBooking({ upstream: services.answer, storage })
    const answer = gateway.fetch(...TRIP())
    await until('all undone', async () => {
      await clock.advance(1_000)
      return services.standing.length === 0 && services.effects.length === 3
    })
    broken = false
    expect((await answer).status).toBe(503)
    expect(await storage.counts()).toEqual(EMPTY)
  })
})
