import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { rule } from '../../../tests/support/limiter-conformance.ts'
import { quickest, realClock } from '../../../tests/support/real-time.ts'
import { connectRedisLater, describeWithRedis, type RedisConnection } from '../../../tests/support/redis-under-test.ts'
import { startTcpProxy, type TcpProxy } from '../../../tests/support/tcp-proxy.ts'
import { StoreUnavailable } from '../../core/store.ts'
import { createMemoryLimiters } from '../limiters/memory-limiters.ts'
import { createUpstashLimiters } from '../limiters/upstash-limiters.ts'
import { createRedisScripts, type Scripts } from './redis-scripts.ts'
import { createRedisStore } from './redis-store.ts'
import { createUpstashScripts } from './upstash-scripts.ts'

const TIMEOUT_MS = 100
/** The timeout, and what a machine may add. */
const PATIENCE_MS = 600

type Work = () => Promise<unknown>

/** Whatever goes over the wire: one limiter and one operation of the store. */
function workOver(scripts: Scripts): Record<'limiter' | 'store', Work> {
  const keyPrefix = `test:${crypto.randomUUID()}:`
  const common = { scripts, clock: realClock, timeoutMs: TIMEOUT_MS, keyPrefix }
  const limiter = createUpstashLimiters({ ...common, local: createMemoryLimiters({ clock: realClock }) }).create(
    'site',
    rule('sliding-window', 1_000, 0),
  )
  const store = createRedisStore(common)
  return { limiter: () => limiter.take('key'), store: () => store.set('key', 'value', 60_000) }
}

async function failureOf(work: Work): Promise<{ error: unknown; elapsedMs: number }> {
  const start = performance.now()
  const error = await work().then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return { error, elapsedMs: performance.now() - start }
}

/** Fails unless the store is said to be unavailable, and in time; tells after how many milliseconds. */
async function expectUnavailable(work: Work): Promise<number> {
  const elapsedMs = await quickest(PATIENCE_MS, async () => {
    const failure = await failureOf(work)
    expect(failure.error).toBeInstanceOf(StoreUnavailable)
    return failure.elapsedMs
  })
  expect(elapsedMs).toBeLessThanOrEqual(PATIENCE_MS)
  return elapsedMs
}

async function untilItWorks(work: Work): Promise<void> {
  const deadline = performance.now() + 5_000
  for (;;) {
    const { error } = await failureOf(work)
    if (!error) return
    if (performance.now() > deadline) throw error
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

describeWithRedis('with a Redis that fails,', (url) => {
  let proxy: TcpProxy
  let connection: RedisConnection

  beforeEach(async () => {
    const { port, hostname } = new URL(url)
    proxy = await startTcpProxy(Number(port), hostname)
    connection = connectRedisLater(`redis://127.0.0.1:${proxy.port}`)
  })

  afterEach(async () => {
    connection.close()
    await proxy.close()
  })

  describe.each(['limiter', 'store'] as const)('the %s', (which) => {
    test('says in time that a hung server is unavailable, and works again after it has come back', async () => {
      const work = workOver(createRedisScripts(connection))[which]
      await untilItWorks(work)
      proxy.hold()
      expect(await expectUnavailable(work)).toBeGreaterThanOrEqual(TIMEOUT_MS - 5)
      proxy.cut()
      proxy.resume()
      await untilItWorks(work)
    })

    test('says at once that a lost server is unavailable, and works again after it has come back', async () => {
      const work = workOver(createRedisScripts(connection))[which]
      await untilItWorks(work)
      proxy.cut()
      await expectUnavailable(work)
      proxy.resume()
      await untilItWorks(work)
    })

    test('says at once that a server that was never there is unavailable', async () => {
      await proxy.close()
      await expectUnavailable(workOver(createRedisScripts(connection))[which])
    })

    test('answers every one of many requests in time while the server hangs', async () => {
      const work = workOver(createRedisScripts(connection))[which]
      await untilItWorks(work)
      proxy.hold()
      const slowestMs = await quickest(PATIENCE_MS, async () => {
        const failures = await Promise.all(Array.from({ length: 500 }, () => failureOf(work)))
        expect(failures.every(({ error }) => error instanceof StoreUnavailable)).toBe(true)
        return Math.max(...failures.map(({ elapsedMs }) => elapsedMs))
      })
      expect(slowestMs).toBeLessThanOrEqual(PATIENCE_MS)
    })
  })
})

describe.each(['limiter', 'store'] as const)('over Upstash, the %s', (which) => {
  test('says in time that a hung server is unavailable', async () => {
    const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Promise<Response>(() => {}) })
    const work = workOver(createUpstashScripts({ url: `http://127.0.0.1:${server.port}`, token: 'secret' }))[which]
    await expectUnavailable(work)
    server.stop(true)
  })

  test.each([
    { name: 'that refuses connections', respond: undefined },
    { name: 'that refuses the token', respond: () => Response.json({ error: 'Unauthorized' }, { status: 401 }) },
    { name: 'that answers nonsense', respond: () => new Response('<html>', { status: 502 }) },
  ])('says in time that a server $name is unavailable', async ({ respond }) => {
    const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: respond ?? (() => new Response()) })
    if (!respond) server.stop(true)
    const work = workOver(createUpstashScripts({ url: `http://127.0.0.1:${server.port}`, token: 'wrong' }))[which]
    await expectUnavailable(work)
    server.stop(true)
  })
})
