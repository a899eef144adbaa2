import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { tmpdir } from 'node:os'
import { type RunningGateway, startGateway } from '../../gateway/runtimes/bun/start.ts'
import { WHOLE, writeBookingConfig } from '../support/booking-config.ts'
import { type BookingCall, type BookingServices, startBookingServices } from '../support/booking-service.ts'
import { startPrograms } from '../support/program.ts'
import { until } from '../support/real-time.ts'
import { recordTelemetry } from '../support/recorded-telemetry.ts'
import { mountSmallDisk, type SmallDisk } from '../support/small-disk.ts'

const BYTES = 4_194_304
const probe = mountSmallDisk(BYTES)
probe?.remove()
const title = 'A gateway whose journal is on a full disk'

describe.skipIf(!probe)(probe ? title : `${title} (LEFT OUT: no disk can be mounted here)`, () => {
  let disk: SmallDisk
  let services: BookingServices
  let config: string
  let gateway: RunningGateway | undefined
  /** What fills the disk when it is done: a service's booking, or `cancel of` it. */
  let filler: string | undefined
  let soldOut = false
  const programs = startPrograms(() => tmpdir())

  beforeEach(() => {
    const mounted = mountSmallDisk(BYTES)
    if (!mounted) throw new Error('The disk could be mounted a moment ago')
    disk = mounted
    services = startBookingServices({
      refuses: ({ service }) => soldOut && service === 'payments',
      beforeAnswer({ service, kind }) {
        if (filler === (kind === 'book' ? service : `cancel of ${service}`)) fill()
      },
    })
    config = writeBookingConfig({ folder: disk.folder, services })
  })
  afterEach(async () => {
    filler = undefined
    soldOut = false
    programs.endAll()
    await gateway?.stop()
    gateway = undefined
    await services.stop()
    disk.remove()
  })

  function fill() {
    filler = undefined
    disk.fill()
  }
  const start = async () => {
    gateway = await startGateway({ config, port: 0, adminPort: 0, log: recordTelemetry().log })
    return gateway
  }
  const book = async (url: string, trip: string) => {
    const response = await fetch(`${url}/trips/${trip}`, {
      method: 'POST',
      headers: { 'idempotency-key': `key-of-${trip}` },
    })
    const body = (await response.json()) as Readonly<Record<string, unknown>>
    return { status: response.status, retryAfter: response.headers.get('retry-after'), body }
  }
  const asked = (trip: string) =>
    services.calls.filter((call) => call.trip === trip).map(({ service, kind }) => `${kind} ${service}`)

  const cancels = () => services.calls.filter(({ kind }) => kind === 'cancel')
  const counts = async (adminUrl: string) => {
    const response = await fetch(`${adminUrl}/_sluice/compensations`)
    return ((await response.json()) as { counts: Readonly<Record<string, number>> }).counts
  }
  const untilSettled = (adminUrl: string) =>
    until('an empty journal', async () => Object.values(await counts(adminUrl)).every((count) => count === 0))

  test('makes no write that it could not undo, and says so', async () => {
    const { url, adminUrl } = await start()
    expect(await book(url, 'before')).toMatchObject({ status: 200 })
    disk.fill()
    for (let i = 0; i < 10; i++) {
      expect(await book(url, 'refused')).toMatchObject({
        status: 503,
        retryAfter: '5',
        body: {
          type: 'urn:sluice:problem:overloaded',
          detail: 'The part "flights" failed: its write cannot be noted, so it was not made',
          parts: [
            { name: 'flights', error: 'overloaded' },
            { name: 'hotels', error: 'input' },
            { name: 'payments', error: 'input' },
          ],
        },
      })
    }
    expect(asked('refused')).toEqual([])
    expect((await fetch(`${adminUrl}/_sluice/ready`)).status).toBe(200)
    const metrics = await (await fetch(`${adminUrl}/_sluice/metrics`)).text()
    expect(metrics).toContain('sluice_journal_refused_total{reason="storage"} 10\n')

    disk.makeRoom()
    expect(await book(url, 'refused')).toMatchObject({ status: 200 })
    expect(services.standing('refused')).toEqual(WHOLE)
    expect(await counts(adminUrl)).toEqual({ open: 0, undoing: 0, parked: 0 })
  })

  test.each([
    { at: 'flights', undone: ['flights'], detail: 'The part "hotels" failed: its write cannot be noted' },
    { at: 'hotels', undone: ['hotels', 'flights'], detail: 'The part "payments" failed: its write cannot be noted' },
    {
      at: 'payments',
      undone: ['payments', 'hotels', 'flights'],
      detail: 'It cannot be noted that the writes are complete, so they are undone',
    },
  ])('undoes when there is room what was done when the disk filled up during $at', async ({ at, undone, detail }) => {
    const { url, adminUrl } = await start()
    filler = at
    const answer = await book(url, 'trip')
    const booked = undone.toReversed()
    expect(answer).toMatchObject({
      status: 503,
      retryAfter: '5',
      body: {
        type: 'urn:sluice:problem:overloaded',
        detail: expect.stringContaining(detail),
        writes: booked.map((part) => ({ part, outcome: 'undoing' })),
      },
    })
    // Until it is on the disk that they are undone, they are not; and nobody else may use the key.
    expect(await book(url, 'trip')).toMatchObject({ status: 409 })
    expect(asked('trip')).toEqual(booked.map((service) => `book ${service}`))
    expect(await counts(adminUrl)).toMatchObject({ open: 1 })

    disk.makeRoom()
    await untilSettled(adminUrl)
    expect(services.standing('trip')).toEqual([])
    expect(asked('trip').slice(booked.length)).toEqual(undone.map((service) => `cancel ${service}`))
    expect(await book(url, 'trip')).toMatchObject({ status: 200 })
    expect(services.standing('trip')).toEqual(WHOLE)
  })

  test('repeats with its key a compensation that it could not note, and makes those that were left', async () => {
    const { url, adminUrl } = await start()
    soldOut = true
    filler = 'cancel of hotels'
    const answer = book(url, 'trip')
    await until('it was made again', () => cancels().length === 2)
    disk.makeRoom()
    await untilSettled(adminUrl)
    expect(await answer).toMatchObject({ status: 409, body: { type: 'urn:sluice:problem:upstream-refused' } })
    expect(services.standing('trip')).toEqual([])
    const [first, ...more] = cancels()
    expect(first).toMatchObject({ service: 'hotels' })
    expect(more.slice(0, -1)).toEqual(more.slice(1).map(() => first as BookingCall))
    expect(more.at(-1)).toMatchObject({ service: 'flights' })
  })

  test('is undone by the next gateway when this one is killed before there is room', async () => {
    const run = () => programs.run(['start', '--config', config, '--port', '0', '--admin-port', '0'])
    const killed = run()
    const url = `http://127.0.0.1:${await killed.port()}`
    filler = 'hotels'
    expect(await book(url, 'trip')).toMatchObject({ status: 503 })
    killed.child.kill('SIGKILL')
    await killed.child.exited

    const refused = run()
    expect(await refused.exit()).not.toBe(0)
    expect(refused.output).toContain('make room on its disk')
    disk.makeRoom()
    const { url: nextUrl, adminUrl } = await start()
    await untilSettled(adminUrl)
    expect(services.standing('trip')).toEqual([])
    expect(await book(nextUrl, 'trip')).toMatchObject({ status: 200 })
    expect(services.standing('trip')).toEqual(WHOLE)
  })
})
