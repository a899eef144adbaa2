import { describe, expect, test } from 'bun:test'
import { createMemorySagas } from '../../gateway/saga/memory-sagas.ts'
import type { SagaEntry, SagaState } from '../../gateway/saga/saga-entry.ts'
import type { SagaStorage } from '../../gateway/saga/saga-storage.ts'
import { TEST_START } from '../../tests/support/gateway.ts'
import { until } from '../../tests/support/real-time.ts'
import { openTrip, textLog } from './test-log.ts'
import { openPage } from './test-page.ts'

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
