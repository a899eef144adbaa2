import type { Clock } from '../core/clock.ts'
import { type AmqpConnection, connectAmqp, parseBrokerUrl } from './amqp-connection.ts'

/** One connection to a broker that is made when it is first needed, and again when it was lost. */
export interface KeptConnection {
  get(): Promise<AmqpConnection>
  close(): Promise<void>
}

const CONNECT_TIMEOUT_MS = 5_000

/** Keeps a connection to the broker at this URL. Throws a `TypeError` without the URL in it when that cannot be read. */
export function keepConnection(url: string, clock: Clock): KeptConnection {
  const address = parseBrokerUrl(url)
  let kept: Promise<AmqpConnection> | undefined
  return {
    get() {
      if (kept) return kept
      const quiet = () => {}
      const timing = { url: address, clock, connectTimeoutMs: CONNECT_TIMEOUT_MS, onBlocked: quiet, onUnblocked: quiet }
      const connecting = connectAmqp(timing)
      kept = connecting
      const forget = () => {
        if (kept === connecting) kept = undefined
      }
      connecting.then(({ ended }) => ended.then(forget), forget)
      return connecting
    },
    async close() {
      const connection = await kept?.catch(() => undefined)
      await connection?.close()
    },
  }
}
