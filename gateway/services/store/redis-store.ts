import type { Clock } from '../../core/clock.ts'
import type { Store } from '../../core/store.ts'
import { answerWithin } from './answer-within.ts'
import type { Scripts } from './redis-scripts.ts'

export interface RedisStoreOptions {
  readonly scripts: Scripts
  readonly clock: Clock
  /** How long a request waits for the store before it counts as unavailable. Default 100. */
  readonly timeoutMs?: number
  /** Default `sluice:store:`. */
  readonly keyPrefix?: string
}

const GET = `return redis.call('GET', KEYS[1])`

const SET = `redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 1`

// SET with both NX and GET exists only since Redis 7.
const PUT_IF_ABSENT = `
local present = redis.call('GET', KEYS[1])
if not present then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return present`

const REPLACE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`

const REMOVE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`

/** A store in Redis or Upstash, shared by every process that uses the same one. Each operation is one Lua script. */
export function createRedisStore({
  scripts,
  clock,
  timeoutMs = 100,
  keyPrefix = 'sluice:store:',
}: RedisStoreOptions): Store {
  const run = (script: string, key: string, ...values: unknown[]): Promise<unknown> =>
    answerWithin(clock, timeoutMs, () => scripts.eval(script, [keyPrefix + key], values))

  return {
    get: async (key) => toText(await run(GET, key)),
    set: async (key, value, ttlMs) => {
      await run(SET, key, value, ttlMs)
    },
    putIfAbsent: async (key, value, { ttlMs }) => toText(await run(PUT_IF_ABSENT, key, value, ttlMs)),
    replace: async (key, expected, value, ttlMs) => (await run(REPLACE, key, expected, value, ttlMs)) === 1,
    remove: async (key, expected) => (await run(REMOVE, key, expected)) === 1,
  }
}

function toText(reply: unknown): string | undefined {
  return reply === null || reply === undefined ? undefined : String(reply)
}
