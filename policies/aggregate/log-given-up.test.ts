import { describe, expect, test } from 'bun:test'
import type { Logger } from '../../gateway/core/telemetry.ts'
import { createMemorySagas } from '../../gateway/saga/memory-sagas.ts'
import type { SagaEntry, SagaState } from '../../gateway/saga/saga-entry.ts'
import type { SagaStorage } from '../../gateway/saga/saga-storage.ts'
import { TEST_START } from '../../tests/support/gateway.ts'
import { until } from '../../tests/support/real-time.ts'
import { createVirtualClock } from '../../tests/support/virtual-clock.ts'
import { createBookingServices, type Happening, openBooking, TRIP } from './test-booking.ts'
import { openPage } from './test-page.ts'

/** Keeps the lines of requests as text, as a real log does: what becomes known afterwards is not in them. */
function textLog() {
  const lines: string[] = []
  const keep = (message: string, facts?: object) => {
    if (message === 'request') lines.push(JSON.stringify(facts))
  }
  const log: Logger = { info: keep, warn: keep, error: keep }
  return { log, requests: () => lines.map((line) => JSON.parse(line)) }
}

const PARTS = { product: { required: true }, stock: {}, price: { path: '/{parts.stock.body.sku}' } }

describe('the log line of a request that was given up while it was composed', () => {
  test('tells what was known when its client left', async () => {
    const { log, requests } = textLog()
    const page = await openPage({ parts: PARTS, answers: { product: 1 }, services: { log } })
    const client = new AbortController()
    const asking = page.fetch('/page/1', {}, { ip: '192.0.2.1', gone: client.signal })
    await page.clock.advance(3)
    client.abort()
    await asking
    expect(requests()).toMatchObject([{ status: 499, failure: 'client-gone' }])
    expect(requests()[0].policies).toEqual({
      aggregate: {
        complete: false,
        failed: [
          { part: 'stock', outcome: 'failed', error: 'cancelled' },
          { part: 'price', outcome: 'failed', error: 'cancelled' },
        ],
      },
    })
  })
})

/** A journal in memory whose writes of a state are on their way to the disk until `land`. */
function slowTo(state: SagaState) {
  const landed = Promise.withResolvers<void>()
  const memory = createMemorySagas({ now: () => TEST_START })
  let isWaiting = false
  const disk = () => {
    isWaiting = true
    return landed.promise
  }
  const storage: SagaStorage = {
    ...memory,
    async add(entry) {
      if (entry.state === state) await disk()
      return memory.add(entry)
    },
    async change(id, change) {
      let next: SagaEntry<SagaState> | undefined
      await memory.change(id, (entry) => {
        next = change(entry)
        return next.state === state ? entry : next
      })
      if (next?.state !== state) return
      await disk()
      return memory.change(id, change)
    },
  }
  return {
    storage,
    land: landed.resolve,
    get isWaiting() {
      return isWaiting
    },
  }
}

async function openTrip(happen: (service: string) => Happening, storage?: SagaStorage) {
  const { log, requests } = textLog()
  const services = createBookingServices((service, kind) => (kind === 'book' ? happen(service) : 'ok'))
  const scene = await openBooking({
    upstream: services.answer,
    clock: createVirtualClock(TEST_START),
    services: { log },
    ...(storage && { storage }),
  })
  const client = new AbortController()
  const [path, init] = TRIP()
  const asking = scene.gateway.fetch(path, init, { ip: '192.0.2.1', gone: client.signal })
  const lines = () =>
    scene.telemetry.lines.map(({ message, facts }): Readonly<Record<string, unknown>> => ({ message, ...facts }))
  return { ...scene, services, asking, leave: () => client.abort(), requests, lines }
}

describe('the log line of a request that was given up while it wrote', () => {
  test('leads to the lines about its writes, and they lead to it', async () => {
    const { services, asking, leave, requests, lines } = await openTrip((service) =>
      service === 'payment' ? 'hang' : 'ok',
    )
    await until('the payment was asked for', () => services.calls.length === 3)
    leave()
    await asking
    const [{ id, trace, status, policies }] = requests()
    expect({ status, policies }).toEqual({
      status: 499,
      policies: {
        aggregate: {
          complete: false,
          failed: [{ part: 'payment', outcome: 'failed', error: 'cancelled' }],
          saga: 'saga-1',
          writes: [
            { part: 'flight', outcome: 'undoing' },
            { part: 'hotel', outcome: 'undoing' },
            { part: 'payment', outcome: 'undoing' },
          ],
        },
      },
    })
    await until('it is being undone', () => lines().length > 0)
    const [undoing] = lines()
    expect(trace).toMatch(/^[0-9a-f]{32}$/)
    expect(undoing).toEqual({
      message: 'Undoing the writes of a request',
      id,
      saga: 'saga-1',
      route: 'trips',
      trace,
      reason: 'the client has left',
    })
  })

  test('tells what is known when the time of the route is up before an intent is on the disk', async () => {
    const disk = slowTo('open')
    const { clock, asking, requests } = await openTrip(() => 'ok', disk.storage)
    await until('the first intent is on its way to the disk', () => disk.isWaiting)
    await clock.advance(60_000)
    expect((await asking).status).toBe(504)
    expect(requests()).toMatchObject([
      {
        failure: 'upstream-timeout',
        policies: {
          aggregate: {
            complete: false,
            failed: [
              { part: 'flight', error: 'timeout' },
              { part: 'hotel', error: 'timeout' },
              { part: 'payment', error: 'timeout' },
            ],
            saga: 'saga-1',
            writes: [],
          },
        },
      },
    ])
    disk.land()
  })

  test('does not say what becomes of the writes while that is being decided', async () => {
    const disk = slowTo('done')
    const { clock, services, asking, leave, requests, storage } = await openTrip(() => 'ok', disk.storage)
    await until('the end is on its way to the disk', () => disk.isWaiting)
    leave()
    await asking
    expect(requests()).toMatchObject([{ status: 499 }])
    expect(requests()[0].policies).toEqual({ aggregate: { complete: true, failed: [], saga: 'saga-1' } })
    disk.land()
    await clock.advance(0)
    expect(await storage.counts()).toEqual({ open: 0, undoing: 0, parked: 0 })
    expect(services.standing).toEqual(['flight', 'hotel', 'payment'])
  })
})

test('lines about what is undone after an answer name the request', async () => {
  const { asking, requests, lines } = await openTrip((service) => (service === 'payment' ? 'refuse' : 'ok'))
  await asking
  const [{ id }] = requests()
  expect(lines().filter(({ message }) => message === 'Undid a write')).toEqual([
    { message: 'Undid a write', id, saga: 'saga-1', route: 'trips', part: 'hotel', upstream: 'hotel' },
    { message: 'Undid a write', id, saga: 'saga-1', route: 'trips', part: 'flight', upstream: 'flight' },
  ])
})
