import type { Dependency } from '../../admin/app.ts'
import { parseStoreAddress } from '../../config/store-address.ts'
import type { Clock } from '../../core/clock.ts'
import type { Limiters } from '../../core/limiter.ts'
import type { Store } from '../../core/store.ts'
import type { Logger } from '../../core/telemetry.ts'
import { createMemoryLimiters } from '../../services/limiters/memory-limiters.ts'
import { createMemoryStore } from '../../services/store/memory-store.ts'

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
 * server that is away is no error here: it is asked per request. Rejects when a file cannot be opened.
 */
export async function connectStore(url: string, clock: Clock, log: Logger): Promise<StoreConnection> {
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
    const { openSqliteStore } = await import('./sqlite-store.ts')
    const store = openSqliteStore({ path: address.path, clock })
    // A disk write for every request would cost more than most limits are worth.
    return { store, limiters: local, opened: Promise.resolve(), check: () => readable(store), close: store.close }
  }
  const { connectSharedStore } = await import('./shared-store.ts')
  const { isUp, ...shared } = await connectSharedStore(address, { clock, log, local })
  return { ...shared, check: async () => inOrder(isUp()) }
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
