import { describe, expect, test } from 'bun:test'
import { createClient } from 'redis'
import type { RedisCommands } from '../../gateway/services/store/redis-scripts.ts'

/** A connection as a runtime would make it: bounded, and refusing at once while there is no server. */
export interface RedisConnection extends RedisCommands {
  close(): void
}

/**
 * Runs tests against the real Redis named by `REDIS_TEST_URL`. Without it they are left out, and their name says so; in
 * CI that is a failure.
 */
export function describeWithRedis(name: string, tests: (url: string) => void): void {
  const url = process.env.REDIS_TEST_URL
  if (url) {
    describe(name, () => tests(url))
    return
  }
  if (process.env.CI === 'true') {
    test(`${name}: REDIS_TEST_URL must name a Redis in CI`, () => {
      expect(url).toBeString()
    })
    return
  }
  test.skip(`LEFT OUT, no Redis in REDIS_TEST_URL: ${name}`, () => {})
}

/** Connects to a Redis; resolves once the first connection stands. */
export async function connectRedis(url: string): Promise<RedisConnection> {
  const client = openRedis(url)
  await client.connect()
  return { sendCommand: (command) => client.sendCommand(command), close: () => client.destroy() }
}

/** A client that keeps trying to connect in the background, whether or not there is a server. */
export function connectRedisLater(url: string): RedisConnection {
  const client = openRedis(url)
  client.connect().catch(() => {})
  return { sendCommand: (command) => client.sendCommand(command), close: () => client.destroy() }
}

function openRedis(url: string) {
  const client = createClient({
    url,
    disableOfflineQueue: true,
    commandsQueueMaxLength: 10_000,
    socket: { connectTimeout: 500, reconnectStrategy: 20 },
  })
  client.on('error', () => {})
  return client
}
