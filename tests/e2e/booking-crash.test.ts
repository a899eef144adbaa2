import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WHOLE, writeBookingConfig } from '../support/booking-config.ts'
import { type BookingGateway, bookTrip, countSagas, startBookingGateway } from '../support/booking-gateway.ts'
import { startBookingServices } from '../support/booking-service.ts'
import { until } from '../support/real-time.ts'
import { seededRandom } from '../support/seeded-random.ts'

/** A gateway that books trips is killed again and again; at the end every trip is whole or gone, and none is there twice. */

const KILLS = 50
const SEED = Number(process.env.SEED ?? 7)

const folder = mkdtempSync(join(tmpdir(), 'booking-crash-'))
const random = seededRandom(SEED)
const services = startBookingServices({ random: seededRandom(SEED + 1) })

afterAll(async () => {
  for (const gateway of running) gateway.kill('SIGKILL')
  await services.stop()
  rmSync(folder, { recursive: true, force: true })
})

const config = writeBookingConfig({ folder, services })

const running = new Set<BookingGateway>()

async function start(step: number) {
  const gateway = startBookingGateway(config, step)
  running.add(gateway)
  return { ...gateway, at: await gateway.served }
}

test(`leaves every trip whole or undone after ${KILLS} kills (seed ${SEED})`, async () => {
  const trips: string[] = []
  /** Trips whose client asks again until it is told. */
  const unanswered = new Set<string>()
  const booked = new Set<string>()
  let kills = 0
  let round = 0
  while (kills < KILLS) {
    const gateway = await start(1 + Math.floor(random() * 120))
    const own = Array.from({ length: 9 }, (_, i) => `trip-${round}-${i}`)
    round++
    trips.push(...own)
    const again = [...unanswered]
    unanswered.clear()
    const ask = async (trip: string, i: number) => {
      const status = await bookTrip(gateway.at, trip)
      if (status === 200) booked.add(trip)
      else if (status === undefined && i % 2 === 0) unanswered.add(trip)
    }
    const due = [...own, ...again].map((trip, i) => () => ask(trip, i))
    // Three at a time, so that some are finished when it dies.
    while (due.length > 0) await Promise.all(due.splice(0, 3).map((each) => each()))
    // One that had less to do than steps to its death is killed when it is idle, which counts for nothing.
    gateway.kill('SIGKILL')
    if (await gateway.ended) kills++
  }
  services.calm()
  const { at, ended, kill } = await start(0)
  if (!at) throw new Error('the last gateway did not start')
  const counts = () => countSagas(at)
  await until('everything undone', async () => (await counts()).open + (await counts()).undoing === 0, 60_000)
  for (const trip of unanswered) if ((await bookTrip(at, trip)) === 200) booked.add(trip)
  expect(await counts()).toEqual({ open: 0, undoing: 0, parked: 0 })
  kill('SIGTERM')
  await ended

  for (const trip of booked) expect({ trip, standing: services.standing(trip) }).toEqual({ trip, standing: WHOLE })
  for (const trip of trips) {
    const standing = services.standing(trip)
    expect({ trip, standing }).toEqual({ trip, standing: standing.length === 0 ? [] : WHOLE })
  }
  // The test has seen both ends, and work that was begun and taken back.
  expect(trips.filter((trip) => services.standing(trip).length > 0).length).toBeGreaterThan(10)
  expect(services.bookings.filter(({ isCancelled }) => isCancelled).length).toBeGreaterThan(10)
}, 240_000)
