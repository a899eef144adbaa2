import { afterEach, expect, test } from 'bun:test'
import { realClock } from '../../../tests/support/real-time.ts'
import { recordTelemetry } from '../../../tests/support/recorded-telemetry.ts'
import { connectRedis, describeWithRedis } from '../../../tests/support/redis-under-test.ts'
import type { Clock } from '../../core/clock.ts'
import { connectStore, type StoreConnection } from './store-connection.ts'

const open: StoreConnection[] = []

afterEach(() => {
  for (const connection of open.splice(0)) connection.close()
})

/** Patient, so that a busy machine makes nobody give up on Redis. */
const clock: Clock = { ...realClock, after: (ms, run) => realClock.after(ms * 100, run) }

async function connect(url: string): Promise<StoreConnection> {
  const connection = await connectStore(url, clock, recordTelemetry().log)
  open.push(connection)
  await connection.opened
  return connection
}

const RULE = { algorithm: 'fixed-window', limit: 1, windowMs: 86_400_000 } as const
const RECORD = 'routes.place-order.idempotency:k'

const mayPass = async ({ limiters }: StoreConnection) =>
  (await limiters.create('routes.place-order.rate-limit', RULE).take('caller')).allowed

describeWithRedis('deployments on one Redis', (address) => {
  const { host } = new URL(address.replace(/^redis/, 'http'))
  const inDatabase = (database: number) => `redis://${host}/${database}`

  /** The keys that begin with the prefix, which are deleted. */
  async function takeKeys(database: number, prefix: string): Promise<string[]> {
    const connection = await connectRedis(inDatabase(database))
    const found = (await connection.sendCommand(['KEYS', `${prefix}:*`])) as string[]
    for (const key of found) await connection.sendCommand(['DEL', key])
    connection.close()
    return found.sort()
  }

  test('know no answers and no counts of one another when each has a prefix, and share them when they have the same', async () => {
    const [ours, theirs] = [`ours-${crypto.randomUUID()}`, `theirs-${crypto.randomUUID()}`]
    try {
      const one = await connect(`${inDatabase(5)}?prefix=${ours}`)
      const peer = await connect(`${inDatabase(5)}?prefix=${ours}`)
      const stranger = await connect(`${inDatabase(5)}?prefix=${theirs}`)
      await one.store.set(RECORD, 'an order of ours', 60_000)
      expect(await peer.store.get(RECORD)).toBe('an order of ours')
      expect(await stranger.store.get(RECORD)).toBeUndefined()
      expect([await mayPass(one), await mayPass(peer), await mayPass(stranger)]).toEqual([true, false, true])
    } finally {
      const [limit = '', store] = await takeKeys(5, ours)
      expect([limit.startsWith(`${ours}:limit:`), store]).toEqual([true, `${ours}:store:${RECORD}`])
      await takeKeys(5, theirs)
    }
  })

  test('use the database their address names', async () => {
    const prefix = `database-${crypto.randomUUID()}`
    try {
      const five = await connect(`${inDatabase(5)}?prefix=${prefix}`)
      const none = await connect(`redis://${host}?prefix=${prefix}`)
      await five.store.set(RECORD, 'of five', 60_000)
      expect(await none.store.get(RECORD)).toBeUndefined()
    } finally {
      expect(await takeKeys(5, prefix)).toEqual([`${prefix}:store:${RECORD}`])
      await takeKeys(0, prefix)
    }
  })
})
