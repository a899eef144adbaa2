import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { until } from '../../tests/support/real-time.ts'
import { createBookingServices, type Happening, openBooking, TRIP, writesOf } from './test-booking.ts'

/** What happens to a write, or to a read; and to each write's compensation, how often it fails before it works. */
interface Step {
  readonly writes: boolean
  readonly required: boolean
  readonly happening: Happening
  readonly failures: number
  /** Which of the steps before it, if any, it reads or follows besides the write before it. */
  readonly after: number
}

const step = fc.record<Step>({
  writes: fc.boolean(),
  required: fc.boolean(),
  happening: fc.oneof(
    { weight: 6, arbitrary: fc.constant<Happening>('ok') },
    { weight: 4, arbitrary: fc.constantFrom<Happening>('refuse', 'fail', 'fail-late', 'lost', 'unreadable') },
  ),
  failures: fc.nat({ max: 2 }),
  after: fc.nat({ max: 9 }),
})

const nameOf = (index: number) => `p${index}`

function toParts(steps: readonly Step[]): Record<string, object> {
  return Object.fromEntries(
    steps.map(({ writes, required, after }, i) => {
      const lastWrite = steps.slice(0, i).findLastIndex((earlier) => earlier.writes)
      const before = [...new Set([...(writes && lastWrite >= 0 ? [lastWrite] : []), ...(after < i ? [after] : [])])]
      const common = { upstream: nameOf(i), required, ...(before.length > 0 && { after: before.map(nameOf) }) }
      if (!writes) return [nameOf(i), { ...common, path: '/bookings', method: 'POST', safe: true }]
      const compensate = { method: 'DELETE', path: `/bookings/{parts.${nameOf(i)}.body.id}` }
      return [nameOf(i), { ...common, method: 'POST', path: '/bookings', compensate }]
    }),
  )
}

test('whatever fails, what stands is what the answer shows, and the rest is undone once, last first', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 7 }), async (steps) => {
      const services = createBookingServices((service, kind, nth) => {
        const { happening = 'ok', failures = 0 } = steps[Number(service.slice(1))] ?? {}
        if (kind === 'book') return nth === 1 ? happening : 'ok'
        return nth <= failures ? 'fail' : 'ok'
      })
      const { gateway, clock, storage } = await openBooking({ upstream: services.answer, parts: toParts(steps) })
      const response = await gateway.fetch(...TRIP())
      const shown = response.status === 200 ? Object.keys((await response.clone().json()) as object) : []
      const told = response.status === 200 ? {} : await writesOf(response)
      await until('everything undone', async () => {
        await clock.advance(5_000)
        const { open, undoing } = await storage.counts()
        return open + undoing === 0
      })
      expect(await storage.counts()).toEqual({ open: 0, undoing: 0, parked: 0 })

      const isWrite = (service: string) => steps[Number(service.slice(1))]?.writes ?? false
      expect(services.standing.filter(isWrite)).toEqual(shown.filter(isWrite))
      // Each compensation was asked for until it worked, one after the other, the last write first.
      const cancelled = services.effects.filter((effect) => effect.cancelled).map(({ service }) => service)
      const inOrder = [...new Set(services.cancellations)]
      const made = services.calls.filter(({ kind }) => kind === 'book').map(({ service }) => service)
      expect(inOrder).toEqual(
        [...new Set(made.filter((service) => cancelled.includes(service)))].sort(byName).reverse(),
      )
      // Nothing is booked twice, whatever was asked again.
      const booked = services.effects.filter(({ service }) => isWrite(service)).map(({ service }) => service)
      expect(booked).toEqual([...new Set(booked)])
      for (const outcome of Object.values(told)) expect(outcome).not.toBe('done')
    }),
    // The same in every run of the suite.
    { numRuns: 60, seed: 1 },
  )
}, 60_000)

function byName(a: string, b: string): number {
  return Number(a.slice(1)) - Number(b.slice(1))
}
