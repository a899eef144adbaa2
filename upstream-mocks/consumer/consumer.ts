import { type AmqpLine, openLine } from './amqp-line.ts'
import { backoffMs } from './backoff.ts'
import { createDelivery, DEFERRED_GRACE_MS } from './delivery.ts'
import { BrokerRefusal, reasonOf } from './failures.ts'
import type { Inbox } from './inbox.ts'
import { type Log, silentLog } from './log.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { createSender } from './sender.ts'
import { sleep } from './sleep.ts'
import type { StepHook } from './steps.ts'
import { planTopology } from './topology.ts'

/** Where the broker is, how things are called there, and how patient to be. */
export interface ConsumerOptions {
  /** `amqp://user:password@host:port/vhost`. It need not answer yet. */
  readonly url: string
  readonly inbox: Inbox
  /** Topic exchange of the events, `shop.events` unless told. */
  readonly exchange?: string
  /** Put before every queue's name, for several installations on one broker. */
  readonly queuePrefix?: string
  /** Waits before further attempts in place, in milliseconds: 100, 500, 2,000. */
  readonly retriesMs?: readonly number[]
  /** Waits in the delay queues after that, in milliseconds: 10,000, 30,000, 90,000. At least one. */
  readonly delaysMs?: readonly number[]
  /** Deliveries to a process that dies with the message in hand, before the broker makes it a dead letter: 10. */
  readonly deliveryLimit?: number
  /** Messages unsettled at once, for each queue: 20. */
  readonly prefetch?: number
  /** Larger messages are dead letters: 256 KiB. */
  readonly maxEventBytes?: number
  /** After how long a message may come a second time at the latest, e.g. because the broker was away: 1 day. */
  readonly horizonMs?: number
  readonly log?: Log
  /** Milliseconds since 1970. */
  readonly now?: () => number
  /** Chance in [0, 1), to spread waits. */
  readonly random?: () => number
  readonly onStep?: StepHook | undefined
}

/** A service's line to the broker: takes events, sends what follows from them, and comes back by itself. */
export interface Consumer {
  readonly metrics: Metrics
  /** Connects in the background, and again whenever the line is lost. Never throws. */
  start(): void
  /** Takes nothing more, finishes what is in hand and sends what is owed, within 10 s in all. */
  stop(): Promise<void>
}

const RECONNECT = { firstMs: 100, longestMs: 5_000 }
const DRAIN_MS = 4_000
const FLUSH_MS = 4_000
const PURGE_EVERY_MS = 60_000
const PURGE_STEP = 500
const HOUR_MS = 3_600_000

/** Makes a consumer; throws a `RangeError` for settings under which an event could take effect twice. */
export function createConsumer(options: ConsumerOptions): Consumer {
  const { url, inbox, exchange = 'shop.events', queuePrefix = '', log = silentLog } = options
  const { retriesMs = [100, 500, 2_000], delaysMs = [10_000, 30_000, 90_000], prefetch = 20 } = options
  const { now = Date.now, random = Math.random, maxEventBytes = 256 * 1024, onStep } = options
  const { deliveryLimit = 10 } = options
  const { service, types } = inbox
  assertAmqpUrl(url)
  assertRemembersLongEnough(options, sum(delaysMs) + sum(retriesMs) * (delaysMs.length + 1))
  const metrics = createMetrics(service)
  const topology = planTopology({ service, exchange, queuePrefix, types, delaysMs, deliveryLimit })
  const sender = createSender({ service, exchange, outgoing: inbox.outgoing, metrics, log, random, onStep })
  const stopping = new AbortController()
  let running: Promise<unknown> | undefined
  let lastComplaint: string | undefined

  async function stayConnected(): Promise<void> {
    for (let failures = 0; !stopping.signal.aborted; failures += 1) {
      try {
        const line = await openLine({ url, name: `shop.${service}`, topology, stopping: stopping.signal })
        failures = 0
        await work(line)
      } catch (error) {
        complain(error)
      }
      metrics.set('consumer_connected', 0)
      if (!stopping.signal.aborted) metrics.count('consumer_reconnects_total')
      await sleep(backoffMs(failures, random(), RECONNECT), stopping.signal)
    }
  }

  /** Consumes on a line until it is lost or the service stops. */
  async function work(line: AmqpLine): Promise<void> {
    const sending = sender.run(line)
    const deliveries: ReturnType<typeof createDelivery>[] = []
    const ending = AbortSignal.any([line.lost, stopping.signal])
    try {
      // Only now do messages come back that waited while this service was away.
      inbox.deferred.extend(now() + Math.max(...delaysMs) + DEFERRED_GRACE_MS)
      for (const plan of topology.queues) {
        const delivery = createDelivery({
          inbox,
          plan,
          deadLetters: topology.deadLetters,
          line,
          retriesMs,
          maxEventBytes,
          stopping: stopping.signal,
          now,
          random,
          metrics,
          log,
          onStep,
        })
        deliveries.push(delivery)
        await line.consume(plan.queue, prefetch, delivery.receive)
      }
      metrics.set('consumer_connected', 1)
      lastComplaint = undefined
      log.info('Connected to the broker', { service })
      await aborted(ending)
      if (!stopping.signal.aborted) {
        log.warn('Lost the broker, will connect again', { service, reason: String(line.lost.reason) })
      }
      await line.stopConsuming()
      await Promise.race([Promise.all(deliveries.map(({ idle }) => idle())), sleep(DRAIN_MS, line.lost)])
      await sender.flush(line, FLUSH_MS)
    } finally {
      await line.close()
      await sending
    }
  }

  async function purge(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        // In steps, so that messages pass in between.
        while (inbox.purge(PURGE_STEP) === PURGE_STEP && !stopping.signal.aborted) await Bun.sleep(0)
      } catch (error) {
        log.warn('Could not purge the inbox, will try again', { service, reason: reasonOf(error) })
      }
      await sleep(PURGE_EVERY_MS, stopping.signal)
    }
  }

  /** Once per reason: a broker that stays away for an hour is one line in the log, not a thousand. */
  function complain(error: unknown): void {
    const reason = reasonOf(error)
    if (reason !== lastComplaint && !stopping.signal.aborted) {
      const verb = error instanceof BrokerRefusal ? 'use' : 'reach'
      log.warn(`Cannot ${verb} the broker, will keep trying`, { service, reason })
    }
    lastComplaint = reason
  }

  return {
    metrics,
    start() {
      running ??= Promise.all([stayConnected(), purge()])
    },
    async stop() {
      stopping.abort()
      await running
    },
  }
}

/** Throws without quoting the URL, which may hold a password. */
function assertAmqpUrl(url: string): void {
  if (/^amqps?:$/.test(URL.parse(url)?.protocol ?? '')) return
  throw new TypeError('The broker URL is not valid: write it like amqp://user:password@host:5672/vhost')
}

function assertRemembersLongEnough({ inbox, horizonMs, delaysMs }: ConsumerOptions, retryingMs: number): void {
  if (delaysMs?.length === 0) throw new RangeError('There is no delay queue: give at least one wait in delaysMs')
  const longestMs = Math.max(horizonMs ?? 24 * HOUR_MS, retryingMs)
  if (inbox.keepMs >= 2 * longestMs) return
  throw new RangeError(
    `The inbox forgets after ${inbox.keepMs} ms what may come again for ${longestMs} ms: keep it at least twice as long`,
  )
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
