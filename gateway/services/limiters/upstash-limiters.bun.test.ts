import { afterAll, afterEach, beforeAll, expect, setSystemTime, test } from 'bun:test'
import { allowedOf, rule, takes, testLimiters } from '../../../tests/support/limiter-conformance.ts'
import { realClock } from '../../../tests/support/real-time.ts'
import { connectRedis, describeWithRedis, type RedisConnection } from '../../../tests/support/redis-under-test.ts'
import { serveUpstashRest, type UpstashRest } from '../../../tests/support/upstash-rest.ts'
import { createVirtualClock } from '../../../tests/support/virtual-clock.ts'
import { createRedisScripts, type Scripts } from '../store/redis-scripts.ts'
import { createUpstashScripts } from '../store/upstash-scripts.ts'
import { createMemoryLimiters } from './memory-limiters.ts'
import { createUpstashLimiters } from './upstash-limiters.ts'

// `@upstash/ratelimit` reads Date.now() itself, so this is the one file in which the system's clock is set. It runs on Bun
// only, whose `setSystemTime` leaves timers alone.

const GENEROUS_MS = 5_000

describeWithRedis('limiters in a real Redis', (url) => {
  let connection: RedisConnection
  let rest: UpstashRest

  beforeAll(async () => {
    connection = await connectRedis(url)
    rest = serveUpstashRest(connection)
  })

  afterEach(() => {
    setSystemTime()
  })

  afterAll(() => {
    rest.close()
    connection.close()
  })

  const limitersOver = (scripts: Scripts) =>
    createUpstashLimiters({
      scripts,
      clock: realClock,
      local: createMemoryLimiters({ clock: realClock }),
      timeoutMs: GENEROUS_MS,
      keyPrefix: `test:${crypto.randomUUID()}:`,
    })

  const underTest = (scripts: Scripts) => {
    let nowMs = Date.UTC(2026, 0, 1)
    setSystemTime(nowMs)
    return {
      limiters: limitersOver(scripts),
      now: () => nowMs,
      advance: async (ms: number) => {
        nowMs += ms
        setSystemTime(nowMs)
      },
    }
  }

  testLimiters('Redis', async () => underTest(createRedisScripts(connection)))
  testLimiters('Upstash over HTTP', async () => underTest(createUpstashScripts({ url: rest.url, token: 'secret' })))

  test('two gateways with a connection each allow no more than the limit between them', async () => {
    const second = await connectRedis(url)
    const keyPrefix = `test:${crypto.randomUUID()}:`
    const gateways = [connection, second].map((client) =>
      createUpstashLimiters({
        scripts: createRedisScripts(client),
        clock: realClock,
        local: createMemoryLimiters({ clock: realClock }),
        timeoutMs: GENEROUS_MS,
        keyPrefix,
      }).create('site', { algorithm: 'sliding-window', limit: 100, windowMs: 86_400_000 }),
    )
    const verdicts = await Promise.all(
      Array.from({ length: 100 }, () => gateways.map((limiter) => limiter.take('key'))).flat(),
    )
    expect(allowedOf(verdicts)).toBe(100)
    second.close()
  })

  test.each(['Redis', 'Upstash'])(
    '%s whose scripts were flushed gets them again, and no count is lost',
    async (kind) => {
      const scripts =
        kind === 'Redis' ? createRedisScripts(connection) : createUpstashScripts({ url: rest.url, token: 'secret' })
      const limiter = limitersOver(scripts).create('site', rule('token-bucket', 5, 5))
      await takes(limiter, 2)
      await connection.sendCommand(['SCRIPT', 'FLUSH'])
      expect((await takes(limiter, 2)).map(({ remaining }) => remaining)).toEqual([2, 1])
    },
  )

  test('scripts are sent once and called by their hash from then on', async () => {
    const commands: string[] = []
    const scripts = createRedisScripts({
      sendCommand: (command) => {
        commands.push(command[0] ?? '')
        return connection.sendCommand(command)
      },
    })
    await takes(limitersOver(scripts).create('site', rule('fixed-window', 5, 5)), 3)
    expect(commands).toEqual(['EVAL', 'EVALSHA', 'EVALSHA'])
  })

  test.each(['fixed-window', 'sliding-window', 'token-bucket'] as const)(
    '%s decides in Redis as it does in memory, whatever the traffic',
    async (algorithm) => {
      const { limiters, now, advance } = underTest(createRedisScripts(connection))
      const clock = createVirtualClock(now())
      // A bucket that never fills up, since Redis drops full ones by its own clock, which stands still here.
      const theRule = algorithm === 'token-bucket' ? rule(algorithm, 400, 1) : rule(algorithm, 12, 0)
      const [remote, local] = [
        limiters.create('site', theRule),
        createMemoryLimiters({ clock }).create('site', theRule),
      ]
      for (const gapMs of trafficGaps(400)) {
        await Promise.all([advance(gapMs), clock.advance(gapMs)])
        expect(await remote.take('key')).toEqual(await local.take('key'))
      }
    },
  )

  test('leaves no key without an expiry behind', async () => {
    const keyPrefix = `test:${crypto.randomUUID()}:`
    const limiters = createUpstashLimiters({
      scripts: createRedisScripts(connection),
      clock: realClock,
      local: createMemoryLimiters({ clock: realClock }),
      timeoutMs: GENEROUS_MS,
      keyPrefix,
    })
    for (const algorithm of ['fixed-window', 'sliding-window', 'token-bucket'] as const) {
      await takes(limiters.create('site', rule(algorithm, 2, 2)), 4)
    }
    const keys = (await connection.sendCommand(['KEYS', `${keyPrefix}*`])) as string[]
    expect(keys).toHaveLength(3)
    for (const key of keys) expect(await connection.sendCommand(['PTTL', key])).toBeGreaterThan(0)
  })
})

/** Pauses between requests, from bursts to more than a window; the same on every run. */
function trafficGaps(count: number): number[] {
  let state = 42
  return Array.from({ length: count }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return [0, 0, 1, 137, 900, 4_321, 12_345][state % 7] ?? 0
  })
}
