import { describe, expect, test } from 'bun:test'
import { serverTiming } from '../../gateway/entry/access-log.ts'
import { createTerminalLogger } from '../../gateway/services/telemetry/terminal-logger.ts'
import { TEST_START } from '../../tests/support/gateway.ts'
import { until } from '../../tests/support/real-time.ts'
import { createVirtualClock } from '../../tests/support/virtual-clock.ts'
import type { Happening } from './test-booking.ts'
import { openTrip } from './test-log.ts'

const called = (part: string, facts: object) => ({
  upstream: part,
  part,
  attempts: 1,
  target: `http://${part}.test`,
  ...facts,
})
const BOOKED = [called('flight', { status: 201, durationMs: 0 }), called('hotel', { status: 201, durationMs: 0 })]
const compensated = (part: string) => called(part, { purpose: 'compensation', status: 204, durationMs: 0 })

const refusePayment = (service: string, kind: string): Happening =>
  service === 'payment' && kind === 'book' ? 'refuse' : 'ok'

describe('the log of a request whose writes are undone', () => {
  test('has the compensations that were made before the answer among its calls', async () => {
    const { asking, requests } = await openTrip(refusePayment)
    await asking
    expect(requests()[0].calls).toEqual([
      ...BOOKED,
      called('payment', { status: 409, durationMs: 0 }),
      compensated('hotel'),
      compensated('flight'),
    ])
  })

  test('has a write that was made again to learn what came of it', async () => {
    const { asking, requests } = await openTrip((service, kind, nth) =>
      service === 'payment' && kind === 'book' && nth === 1 ? 'fail' : 'ok',
    )
    await asking
    expect(requests()[0].calls.slice(2)).toEqual([
      called('payment', { status: 503, durationMs: 0 }),
      called('payment', { purpose: 'repeat', status: 201, durationMs: 0 }),
      ...['payment', 'hotel', 'flight'].map(compensated),
    ])
  })

  test('does not say that a compensation ended with its client', async () => {
    const { asking, leave, services, requests } = await openTrip((service, kind) =>
      kind === 'cancel' ? 'hang' : refusePayment(service, kind),
    )
    await until('the hotel is being cancelled', () => services.cancellations.length === 1)
    leave()
    await asking
    const [{ status, calls }] = requests()
    expect(status).toBe(499)
    expect(calls.at(-1)).toEqual(called('hotel', { purpose: 'compensation' }))
  })

  test('says at a terminal what a compensation has met', async () => {
    const { asking, requests } = await openTrip((service, kind) =>
      service === 'hotel' && kind === 'cancel' ? 'fail' : refusePayment(service, kind),
    )
    await asking
    const told: string[] = []
    createTerminalLogger(createVirtualClock(TEST_START), (line) => told.push(line)).info('request', requests()[0])
    expect(told).toEqual([
      '00:00:00 POST /trips/1 502 0 ms  (trips)  upstream-invalid-response, payment: status 409, flight undoing, hotel undoing (compensation: status 503), payment not-done',
    ])
  })

  test('names the request in each line about what is undone', async () => {
    const { asking, requests, lines } = await openTrip(refusePayment)
    await asking
    const [{ id }] = requests()
    expect(lines().filter(({ message }) => message === 'Undid a write')).toEqual([
      { message: 'Undid a write', id, saga: 'saga-1', route: 'trips', part: 'hotel', upstream: 'hotel' },
      { message: 'Undid a write', id, saga: 'saga-1', route: 'trips', part: 'flight', upstream: 'flight' },
    ])
  })

  test('tells a caller that asks for the time of each call what a compensation was', () => {
    const calls = [
      { upstream: 'hotels', part: 'hotel', attempts: 1, durationMs: 4 },
      { upstream: 'hotels', part: 'hotel', purpose: 'compensation' as const, attempts: 1, durationMs: 3 },
    ]
    expect(serverTiming(9, calls)).toBe('total;dur=9, hotel;dur=4, hotel;desc=compensation;dur=3')
  })
})
