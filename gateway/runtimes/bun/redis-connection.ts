import { createClient } from 'redis'
import { type Clock, sleep } from '../../core/clock.ts'
import type { Logger } from '../../core/telemetry.ts'
import { createRedisScripts } from '../../services/store/redis-scripts.ts'
import { watchConnection } from '../../services/store/watch-connection.ts'
import type { ScriptServer } from './shared-store.ts'

const LONGEST_PAUSE_MS = 2_000
const FIRST_CONNECTION_MS = 1_000
const MOST_WAITING_COMMANDS = 1_000

/** Connects to `redis://…` or `rediss://…`, again and again for as long as it is away. */
export function connectRedis(url: string, clock: Clock, log: Logger): ScriptServer {
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
