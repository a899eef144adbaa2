import type { StoreAddress } from '../../config/store-address.ts'
import type { Clock } from '../../core/clock.ts'
import type { Limiters } from '../../core/limiter.ts'
import type { Store } from '../../core/store.ts'
import type { Logger } from '../../core/telemetry.ts'
import { createUpstashLimiters } from '../../services/limiters/upstash-limiters.ts'
import type { Scripts } from '../../services/store/redis-scripts.ts'
import { createRedisStore } from '../../services/store/redis-store.ts'
import { createUpstashScripts } from '../../services/store/upstash-scripts.ts'

/** A server that runs the scripts of the store. */
export interface ScriptServer {
  readonly scripts: Scripts
  /** Resolves once the first connection stands, or after a second without one. */
  readonly opened: Promise<void>
  isUp(): boolean
  close(): void
}

/** Counters and records that several gateways share. */
export interface SharedStore extends Omit<ScriptServer, 'scripts'> {
  readonly store: Store
  readonly limiters: Limiters
}

export interface SharedStoreParts {
  readonly clock: Clock
  readonly log: Logger
  /** Limits that hold for this process alone. */
  readonly local: Limiters
}

/** Opens a Redis, or Upstash with the URL and the token of the environment; rejects when these are not set. */
export async function connectSharedStore(
  address: Extract<StoreAddress, { readonly kind: 'redis' | 'upstash' }>,
  { clock, log, local }: SharedStoreParts,
): Promise<SharedStore> {
  const { scripts, ...server } =
    address.kind === 'upstash'
      ? connectUpstash()
      : (await import('./redis-connection.ts')).connectRedis(address.url, clock, log)
  return {
    ...server,
    store: createRedisStore({ scripts, clock, keyPrefix: `${address.prefix}:store:` }),
    limiters: createUpstashLimiters({ scripts, clock, local, keyPrefix: `${address.prefix}:limit:` }),
  }
}

function connectUpstash(): ScriptServer {
  const { UPSTASH_REDIS_REST_URL: url = '', UPSTASH_REDIS_REST_TOKEN: token = '' } = process.env
  if (url === '' || token === '') {
    throw new Error(
      'services.store is "upstash:" but UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN are not set: set both',
    )
  }
  return { scripts: createUpstashScripts({ url, token }), opened: Promise.resolve(), isUp: () => true, close: () => {} }
}
