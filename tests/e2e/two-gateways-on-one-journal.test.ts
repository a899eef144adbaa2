import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { identifyProcess } from '../../gateway/runtimes/bun/process-identity.ts'
import { WHOLE, writeBookingConfig } from '../support/booking-config.ts'
import {
  type Addresses,
  type BookingGateway,
  bookTrip,
  countSagas,
  startBookingGateway,
} from '../support/booking-gateway.ts'
import { type BookingCall, type BookingServices, startBookingServices } from '../support/booking-service.ts'
import { until } from '../support/real-time.ts'
import { seededRandom } from '../support/seeded-random.ts'

const SEED = Number(process.env.SEED ?? 11)
const KILLS = 12
/** Elsewhere the end of a process is seen by its silence only, ten seconds later. */
const seesEnds = identifyProcess() !== ''

describe('Two gateways on one journal', () => {
  let folder = ''
  let services: BookingServices
  const running = new Map<string, BookingGateway>()

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-one-journal-'))
  })
  afterEach(async () => {
    for (const gateway of running.values()) gateway.kill('SIGKILL')
    await Promise.all([...running.values()].map(({ ended }) => ended))
    running.clear()
    await services.stop()
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  /** Services tell by `sender` which of the gateways has called. */
  async function start(sender: string, journal: string, step?: number) {
    const gateway = startBookingGateway(writeBookingConfig({ folder, services, sender, journal }), step)
    running.set(sender, gateway)
    return { ...gateway, at: await gateway.served }
  }
  async function startToStay(sender: string, journal: string) {
    const { at, ...gateway } = await start(sender, journal)
    if (!at) throw new Error(`The gateway "${sender}" did not start`)
    return { ...gateway, at }
  }
  const cancelsOf = (trip: string) => services.calls.filter((call) => call.kind === 'cancel' && call.trip === trip)
  const untilSettled = (at: Addresses) =>
    until(
      'everything undone',
      async () => {
        const { open, undoing } = await countSagas(at)
        return open + undoing === 0
      },
      60_000,
    )

  test('leave a compensation to the one that makes it, and repeat it with its key when that one is killed over it', async () => {
    const gate = Promise.withResolvers<void>()
    services = startBookingServices({
      refuses: ({ service }) => service === 'payments',
      async beforeAnswer({ kind, trip, sender }) {
        if (kind === 'cancel' && trip === 'held' && sender === 'first') await gate.promise
      },
    })
    const first = await startToStay('first', 'held.db')
    const second = await startToStay('second', 'held.db')
    const answer = bookTrip(first.at, 'held')
    await until('the compensation under way', () => cancelsOf('held').length === 1)
    // The second looks for what is to be undone each time, oldest first, and leaves this one alone.
    for (const trip of ['a', 'b', 'c']) {
      expect(await bookTrip(second.at, trip)).toBe(409)
      expect(services.standing(trip)).toEqual([])
    }
    expect(cancelsOf('held')).toHaveLength(1)
    expect(await countSagas(second.at)).toEqual({ open: 0, undoing: 1, parked: 0 })

    first.kill('SIGKILL')
    expect(await answer).toBeUndefined()
    await untilSettled(second.at)
    const [before, again, last] = cancelsOf('held')
    expect(cancelsOf('held')).toHaveLength(3)
    expect(before).toMatchObject({ sender: 'first', service: 'hotels' })
    expect(again).toEqual({ ...before, sender: 'second' } as BookingCall)
    expect(last).toMatchObject({ sender: 'second', service: 'flights' })
    expect(services.standing('held')).toEqual([])
    gate.resolve()
  }, 60_000)

  test.if(seesEnds)(
    `finish what ${KILLS} killed ones have left, one at a time (seed ${SEED})`,
    async () => {
      const random = seededRandom(SEED)
      /** By booking, who has last called to cancel it. */
      const last = new Map<string, BookingCall>()
      const wrong: string[] = []
      let takenOver = 0
      services = startBookingServices({
        random: seededRandom(SEED + 1),
        beforeAnswer(call) {
          if (call.kind !== 'cancel') return
          const before = last.get(call.id)
          last.set(call.id, call)
          if (!before) return
          if (before.key !== call.key) wrong.push(`${call.id} was cancelled with two keys`)
          if (before.sender === call.sender) return
          takenOver++
          if (isAlive(running.get(before.sender)?.pid))
            wrong.push(`${call.sender} took ${call.id} from ${before.sender}, which lives`)
        },
      })
      const trips: string[] = []
      const unanswered = new Set<string>()
      const booked = new Set<string>()
      let kills = 0
      let survivor = await startToStay('survivor-0', 'shared.db')
      for (let round = 0; kills < KILLS; round++) {
        const victim = await start(`victim-${round}`, 'shared.db', 1 + Math.floor(random() * 60))
        const own = Array.from({ length: 12 }, (_, i) => `trip-${round}-${i}`)
        trips.push(...own)
        const ask = async (trip: string, i: number) => {
          const status = await bookTrip((i % 2 === 0 ? victim : survivor).at, trip)
          if (status === 200) booked.add(trip)
          else if (status === undefined && random() < 0.5) unanswered.add(trip)
        }
        const due = own.map((trip, i) => () => ask(trip, i))
        while (due.length > 0) await Promise.all(due.splice(0, 4).map((each) => each()))
        victim.kill('SIGKILL')
        if (await victim.ended) kills++
        if (round % 4 !== 3) continue
        const next = await startToStay(`survivor-${round}`, 'shared.db')
        survivor.kill('SIGKILL')
        await survivor.ended
        survivor = next
      }
      services.calm()
      await untilSettled(survivor.at)
      // Clients that were cut off ask again, and are told what became of it.
      for (const trip of unanswered) if ((await bookTrip(survivor.at, trip)) === 200) booked.add(trip)
      await untilSettled(survivor.at)
      expect(await countSagas(survivor.at)).toEqual({ open: 0, undoing: 0, parked: 0 })

      expect(wrong).toEqual([])
      for (const trip of booked) expect({ trip, standing: services.standing(trip) }).toEqual({ trip, standing: WHOLE })
      for (const trip of trips) {
        const standing = services.standing(trip)
        expect({ trip, standing }).toEqual({ trip, standing: standing.length === 0 ? [] : WHOLE })
      }
      // A key stands for one booking or one cancellation, and for nothing else.
      const meanings = new Map<string, string>()
      for (const { service, kind, trip, id, key } of services.calls) {
        const meaning = `${kind} ${trip} ${id}`
        expect(meanings.get(`${service} ${key}`) ?? meaning).toBe(meaning)
        meanings.set(`${service} ${key}`, meaning)
      }
      // The test has seen all of it: what was taken over in the middle, both ends, and what was taken back.
      expect(takenOver).toBeGreaterThan(0)
      expect(booked.size).toBeGreaterThan(10)
      expect(services.bookings.filter(({ isCancelled }) => isCancelled).length).toBeGreaterThan(10)
    },
    240_000,
  )
})

/** A process that was killed stays listed, as a zombie, until its parent has taken note. */
function isAlive(pid: number | undefined): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return !'ZXx'.includes(stat.charAt(stat.lastIndexOf(')') + 2))
  } catch {
    return false
  }
}
