import { type Log, reasonOf, silentLog } from '../service/log.ts'
import { sleep } from '../service/sleep.ts'
import { type AmqpLine, openLine } from './amqp-line.ts'
import type { Broker, Subscription } from './broker.ts'

const FIRST_RETRY_MS = 100
const LONGEST_RETRY_MS = 5_000

/** Where the broker is and how the shop's things are called there. */
export interface AmqpBrokerOptions {
  /** `amqp://user:password@host:port/vhost` */
  readonly url: string
  /** The service's name, shown by the broker beside its connection. */
  readonly name: string
  readonly exchange?: string
  /** Put before every queue's name, for shops that share one broker. */
  readonly queuePrefix?: string
  readonly log?: Log
  /** Chance in [0, 1), to spread reconnects. */
  readonly random?: () => number
}

/** A line to an AMQP 0-9-1 broker that comes back by itself: 0.1 s after the first failure, up to 5 s later on. */
export function createAmqpBroker(options: AmqpBrokerOptions): Broker {
  const { url, name, exchange = 'shop.events', queuePrefix = '', log = silentLog, random = Math.random } = options
  assertAmqpUrl(url)
  const subscriptions: Subscription[] = []
  const stopping = new AbortController()
  let line: AmqpLine | undefined
  let running: Promise<void> | undefined
  let lastComplaint: string | undefined

  async function run(): Promise<void> {
    for (let failures = 0; !stopping.signal.aborted; failures += 1) {
      try {
        line = await openLine({ url, name, exchange, subscriptions, log, stopping: stopping.signal })
        await line.consume()
        failures = 0
        lastComplaint = undefined
        log.info('Connected to the broker', { service: name })
        const reason = await line.lost
        if (!stopping.signal.aborted) log.warn('Lost the broker, will connect again', { service: name, reason })
      } catch (error) {
        complain(reasonOf(error))
      }
      await line?.close()
      line = undefined
      await sleep(retryDelayMs(failures, random()), stopping.signal)
    }
  }

  /** Once per reason: a broker that stays away for an hour is one line in the log, not a thousand. */
  function complain(reason: string): void {
    if (reason !== lastComplaint && !stopping.signal.aborted) {
      log.warn('Cannot reach the broker, will keep trying', { service: name, reason })
    }
    lastComplaint = reason
  }

  return {
    subscribe({ queue, ...rest }) {
      subscriptions.push({ queue: queuePrefix + queue, ...rest })
    },
    async publish(event) {
      if (!line) throw new Error(`${name} cannot publish ${event.type}: no connection to the broker`)
      await line.publish(event)
    },
    start() {
      running ??= run()
    },
    async stop() {
      stopping.abort()
      await line?.close()
      await running
    },
  }
}

/** Throws without quoting the URL, which may hold a password. */
function assertAmqpUrl(url: string): void {
  if (/^amqps?:$/.test(URL.parse(url)?.protocol ?? '')) return
  throw new TypeError('The broker URL is not valid: write it like amqp://user:password@host:5672/vhost')
}

/** Exponential backoff with jitter over the upper half, so that services do not all come back at once. */
export function retryDelayMs(failures: number, chance: number): number {
  const ceilingMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures)
  return ceilingMs / 2 + (ceilingMs / 2) * chance
}
