import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WHOLE, writeBookingConfig } from '../support/booking-config.ts'
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
  for (const child of running) child.kill('SIGKILL')
  await services.stop()
  rmSync(folder, { recursive: true, force: true })
})

const config = writeBookingConfig({ folder, services })

const running = new Set<{ kill(signal: 'SIGKILL'): void }>()

async function start(step: number) {
  const child = Bun.spawn(['bun', join(import.meta.dir, '../support/booking-gateway-process.ts'), config, `${step}`], {
    stdout: 'pipe',
    stderr: 'inherit',
  })
  running.add(child)
  let text = ''
  const reader = child.stdout.getReader()
  const readOn = async (isEnough: () => boolean): Promise<string> => {
    while (!isEnough()) {
      const { done, value } = await reader.read()
      if (done) break
      text += new TextDecoder().decode(value)
    }
    return text
  }
  await readOn(() => text.includes('\n'))
  const [first = ''] = text.split('\n')
  // Without addresses it was killed while it undid what the one before had left.
  const urls = first.startsWith('{') ? (JSON.parse(first) as { url: string; adminUrl: string }) : undefined
  return { child, urls, rest: readOn(() => false) }
}

/** Books a trip; undefined when nobody answers. */
async function book(url: string, trip: string): Promise<number | undefined> {
  try {
    const init = { method: 'POST', headers: { 'idempotency-key': `key of ${trip}` } }
    const response = await fetch(`${url}/trips/${trip}`, init)
    await response.arrayBuffer()
    return response.status
  } catch {
    return undefined
  }
}

test(`leaves every trip whole or undone after ${KILLS} kills (seed ${SEED})`, async () => {
  const trips: string[] = []
  /** Trips whose client asks again until it is told. */
  const unanswered = new Set<string>()
  const booked = new Set<string>()
  let kills = 0
  let round = 0
  while (kills < KILLS) {
    const { child, urls, rest } = await start(1 + Math.floor(random() * 120))
    const own = Array.from({ length: 9 }, (_, i) => `trip-${round}-${i}`)
    round++
    trips.push(...own)
    const again = [...unanswered]
    unanswered.clear()
    const ask = async (trip: string, i: number) => {
      const status = urls && (await book(urls.url, trip))
      if (status === 200) booked.add(trip)
      else if (status === undefined && i % 2 === 0) unanswered.add(trip)
    }
    const due = [...own, ...again].map((trip, i) => () => ask(trip, i))
    // Three at a time, so that some are finished when it dies.
    while (due.length > 0) await Promise.all(due.splice(0, 3).map((each) => each()))
    // One that had less to do than steps to its death is killed when it is idle, which counts for nothing.
    child.kill('SIGKILL')
    if ((await rest).includes('dies')) kills++
  }
  services.calm()
  const { child, urls } = await start(0)
  if (!urls) throw new Error('the last gateway did not start')
  const counts = async () => {
    const response = await fetch(`${urls.adminUrl}/_sluice/compensations`)
    return ((await response.json()) as { counts: { open: number; undoing: number; parked: number } }).counts
  }
  await until('everything undone', async () => (await counts()).open + (await counts()).undoing === 0, 60_000)
  for (const trip of unanswered) if ((await book(urls.url, trip)) === 200) booked.add(trip)
  expect(await counts()).toEqual({ open: 0, undoing: 0, parked: 0 })
  child.kill('SIGTERM')
  await child.exited

  for (const trip of booked) expect({ trip, standing: services.standing(trip) }).toEqual({ trip, standing: WHOLE })
  for (const trip of trips) {
    const standing = services.standing(trip)
    expect({ trip, standing }).toEqual({ trip, standing: standing.length === 0 ? [] : WHOLE })
  }
  // The test has seen both ends, and work that was begun and taken back.
  expect(trips.filter((trip) => services.standing(trip).length > 0).length).toBeGreaterThan(10)
  expect(services.bookings.filter(({ isCancelled }) => isCancelled).length).toBeGreaterThan(10)
}, 240_000)
