import { afterAll, beforeAll, expect, test } from 'bun:test'
import { realClock } from '../../../tests/support/real-time.ts'
import { connectRedis, describeWithRedis, type RedisConnection } from '../../../tests/support/redis-under-test.ts'
import { testStore } from '../../../tests/support/store-conformance.ts'
import { serveUpstashRest, type UpstashRest } from '../../../tests/support/upstash-rest.ts'
import { createRedisScripts, type Scripts } from './redis-scripts.ts'
import { createRedisStore } from './redis-store.ts'
import { createUpstashScripts } from './upstash-scripts.ts'

describeWithRedis('a store in a real Redis', (url) => {
  let connection: RedisConnection
  let rest: UpstashRest

  beforeAll(async () => {
    connection = await connectRedis(url)
    rest = serveUpstashRest(connection)
  })

  afterAll(() => {
    rest.close()
    connection.close()
  })

  const keyPrefix = () => `test:${crypto.randomUUID()}:`

  const underTest = (scripts: Scripts) => ({
    store: createRedisStore({ scripts, clock: realClock, timeoutMs: 5_000, keyPrefix: keyPrefix() }),
    advance: waitInRedis,
  })

  /** Waits until Redis' own clock has moved on, since that is the one its keys expire by. */
  async function waitInRedis(ms: number): Promise<void> {
    const start = await redisNow()
    while ((await redisNow()) - start <= ms) await new Promise((resolve) => setTimeout(resolve, 5))
  }

  async function redisNow(): Promise<number> {
    const [seconds, microseconds] = (await connection.sendCommand(['TIME'])) as [string, string]
    return Number(seconds) * 1_000 + Number(microseconds) / 1_000
  }

  testStore('Redis', async () => underTest(createRedisScripts(connection)))
  testStore('Upstash over HTTP', async () => underTest(createUpstashScripts({ url: rest.url, token: 'secret' })))

  test('is shared by two gateways, of which one gets a free key', async () => {
    const second = await connectRedis(url)
    const prefix = keyPrefix()
    const [one, other] = [connection, second].map((client) =>
      createRedisStore({ scripts: createRedisScripts(client), clock: realClock, timeoutMs: 5_000, keyPrefix: prefix }),
    )
    const answers = await Promise.all([
      one?.putIfAbsent('key', 'one', { ttlMs: 60_000 }),
      other?.putIfAbsent('key', 'two', { ttlMs: 60_000 }),
    ])
    expect(answers.filter((answer) => answer === undefined)).toHaveLength(1)
    expect(await one?.get('key')).toBe(await other?.get('key'))
    second.close()
  })
})
