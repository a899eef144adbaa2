import { createClient } from 'redis'
import type { Dependency } from '../../admin/app.ts'
import { parseStoreAddress } from '../../config/store-address.ts'
import { type Clock, sleep } from '../../core/clock.ts'
import type { Limiters } from '../../core/limiter.ts'
import type { Store } from '../../core/store.ts'
import type { Logger } from '../../core/telemetry.ts'
import { createMemoryLimiters } from '../../services/limiters/memory-limiters.ts'
import { createUpstashLimiters } from '../../services/limiters/upstash-limiters.ts'
import { createMemoryStore } from '../../services/store/memory-store.ts'
import { createRedisScripts, type Scripts } from '../../services/store/redis-scripts.ts'
import { createRedisStore } from '../../services/store/redis-store.ts'
import { createUpstashScripts } from '../../services/store/upstash-scripts.ts'
import { watchConnection } from '../../services/store/watch-connection.ts'
import { openSqliteStore } from './sqlite-store.ts'

/** Where counters and records live, with the connection behind it. */
export interface StoreConnection {
  readonly store: Store
  readonly limiters: Limiters
  /** Resolves once the first connection stands, or after a second without one: the gateway serves either way. */
  readonly opened: Promise<void>
  check(): Promise<Dependency>
  close(): void
}

/**
 * Opens `memory:`, `sqlite:<path>`, `redis://…`, `rediss://…` or `upstash:`, the last three with a `prefix` of their keys. A
 * server that is away is no error here: it is asked per request. Throws when a file cannot be opened.
 */
export function connectStore(url: string, clock: Clock, log: Logger): StoreConnection {
  const local = createMemoryLimiters({ clock })
  const address = parseStoreAddress(url)
  // What the URL was is left out: it may hold a password.
  if (!address) throw new TypeError('services.store has an address that cannot be read')
  if (address.kind === 'memory') {
    return {
      store: createMemoryStore({ clock }),
      limiters: local,
      opened: Promise.resolve(),
      check: async () => inOrder(true),
      close: () => {},
    }
  }
  if (address.kind === 'sqlite') {
    const store = openSqliteStore({ path: address.path, clock })
    // A disk write for every request would cost more than most limits are worth.
    return { store, limiters: local, opened: Promise.resolve(), check: () => readable(store), close: store.close }
  }
  const { scripts, opened, isUp, close } =
    address.kind === 'upstash' ? connectUpstash() : connectRedis(address.url, clock, log)
  return {
    store: createRedisStore({ scripts, clock, keyPrefix: `${address.prefix}:store:` }),
    limiters: createUpstashLimiters({ scripts, clock, local, keyPrefix: `${address.prefix}:limit:` }),
    opened,
    check: async () => inOrder(isUp()),
    close,
  }
}

async function readable(store: Store): Promise<Dependency> {
  try {
    await store.get('')
    return inOrder(true)
  } catch (error) {
    return { name: 'store', required: false, ok: false, detail: error instanceof Error ? error.message : String(error) }
  }
}

/** Not required: every policy says for itself what happens without the store. */
function inOrder(ok: boolean): Dependency {
  return { name: 'store', required: false, ok, ...(ok ? {} : { detail: 'not connected' }) }
}

interface Connection {
  readonly scripts: Scripts
  readonly opened: Promise<void>
  isUp(): boolean
  close(): void
}

const LONGEST_PAUSE_MS = 2_000
const FIRST_CONNECTION_MS = 1_000
const MOST_WAITING_COMMANDS = 1_000

function connectRedis(url: string, clock: Clock, log: Logger): Connection {
  const client = createClient({
    url,
    // A request must hear at once that the store is away, not wait in a queue.
    disableOfflineQueue: true,
    // Nor pile up behind a connection on which nothing comes back.
    commandsQueueMaxLength: MOST_WAITING_COMMANDS,
    socket: {
      connectTimeout: 2_000,
      reconnectStrategy: (retries) => Math.min(LONGEST_PAUSE_MS, 50 * 2 ** Math.min(retries, 6)),
    },
  })
  let told = false
  client.on('error', (error: Error) => {
    if (!told) log.warn('store connection lost', { error: error.message || error.name })
    told = true
  })
  client.on('ready', () => {
    if (told) log.info('store connection back')
    told = false
  })
  const connecting = client.connect().then(
    () => {},
    () => {},
  )
  const endWatch = watchConnection({
    clock,
    ping: () => client.sendCommand(['PING']),
    replace() {
      client.destroy()
      client.connect().catch(() => {})
    },
  })
  return {
    scripts: createRedisScripts({ sendCommand: (command) => client.sendCommand([...command]) }),
    opened: Promise.race([connecting, sleep(clock, FIRST_CONNECTION_MS)]),
    isUp: () => client.isReady,
    close() {
      endWatch()
      client.destroy()
    },
  }
}

function connectUpstash(): Connection {
  const { UPSTASH_REDIS_REST_URL: url = '', UPSTASH_REDIS_REST_TOKEN: token = '' } = process.env
  if (url === '' || token === '') {
    throw new Error(
      'services.store is "upstash:" but UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN are not set: set both',
    )
  }
  return { scripts: createUpstashScripts({ url, token }), opened: Promise.resolve(), isUp: () => true, close: () => {} }
}
