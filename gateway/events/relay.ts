import type { Clock } from '../core/clock.ts'
import type { Logger, Metrics } from '../core/telemetry.ts'
import { type Backoff, backoffMs } from './backoff.ts'
import type { DueEvent, Outbox } from './outbox.ts'
import { type Publisher, UnpublishableError } from './publisher.ts'

export interface RelayParts {
  readonly outbox: Outbox
  readonly publisher: Publisher
  readonly clock: Clock
  /** Uniform in [0, 1); spreads retries. */
  readonly random: () => number
  readonly log: Logger
  readonly metrics: Metrics
}

/** Carries committed events from the outbox to the broker, at least once, each subject's in order. */
export interface Relay {
  /** There may be something to publish: looks at once. Neither throws nor waits. */
  wake(): void
  /**
   * Publishes what is due until nothing is left, the broker is away, or `withinMs` milliseconds have passed.
   * Resolves with the number of events that stay in the outbox.
   */
  flush(withinMs: number): Promise<number>
  /** Starts nothing further, and resolves when nothing is in flight. Comes before the outbox is closed. */
  stop(): Promise<void>
}

const SWEEP_MS = 1_000
const BATCH = 100
const MAX_IN_FLIGHT = 256
/** A queue may be on its way: consumers that start together with the gateway bind theirs a moment later. */
const RETURNED_PATIENCE_MS = 30_000
const RETRY: Backoff = { baseMs: 100, maxMs: 30_000 }

/** Starts a relay: it publishes when woken, and sweeps up every second what was left for any reason. */
export function createRelay({ outbox, publisher, clock, random, log, metrics }: RelayParts): Relay {
  /** Entries in flight or put off; what comes after them in their subjects waits with them. */
  const busy = new Set<string>()
  const failures = new Map<string, number>()
  /** When the broker first gave an entry back. */
  const returnedAtMs = new Map<string, number>()
  /** Confirmed, but the outbox could not take note: not to be published again. */
  const confirmed = new Set<string>()
  const inFlight = new Set<Promise<void>>()
  const retries = new Set<() => void>()
  let onSettled: (() => void)[] = []
  let isLooking = false
  let lookAgain = false
  let stopped = false
  let cancelSweep = () => {}

  function wake(): void {
    lookAgain = true
    if (!isLooking && !stopped) void look()
  }

  async function look(): Promise<void> {
    isLooking = true
    try {
      while (lookAgain && !stopped) {
        lookAgain = false
        await publishDue()
      }
    } catch (error) {
      log.error('Cannot read the outbox', { reason: messageOf(error) })
    } finally {
      isLooking = false
    }
  }

  async function publishDue(): Promise<void> {
    for (;;) {
      const room = Math.min(BATCH, MAX_IN_FLIGHT - inFlight.size)
      if (room <= 0 || publisher.state.name !== 'ready') return
      const due = await outbox.due(room, busy)
      if (stopped) return
      for (const entry of due) start(entry)
      if (due.length < room) return
    }
  }

  function start(entry: DueEvent): void {
    busy.add(entry.id)
    const delivery = deliver(entry)
      .then(() => release(entry.id))
      .catch((error) => putOff(entry, error))
      .finally(() => {
        inFlight.delete(delivery)
        for (const resolve of onSettled) resolve()
        onSettled = []
        wake()
      })
    inFlight.add(delivery)
  }

  /** Resolves once the entry has left the committed ones; rejects when it has to be tried again. */
  async function deliver({ id, event, address }: DueEvent): Promise<void> {
    if (!confirmed.has(id)) {
      const refusal = await publish({ id, event, address })
      if (refusal !== undefined) return park({ id, event }, refusal)
      confirmed.add(id)
      metrics.count('sluice_events_confirmed_total')
    }
    await outbox.delivered(id, clock.now())
  }

  /** Why the event is given up, or `undefined` when it has been delivered; rejects when it has to be tried again. */
  async function publish({ id, event, address }: Omit<DueEvent, 'committedAtMs'>): Promise<string | undefined> {
    metrics.count('sluice_events_published_total')
    try {
      if ((await publisher.publish(event, address)) === 'confirmed') return undefined
    } catch (error) {
      if (error instanceof UnpublishableError) return error.message
      throw error
    }
    metrics.count('sluice_events_returned_total')
    const reason = `the broker returned it: no queue is bound to exchange "${address.exchange}" for "${address.routingKey}"`
    const firstMs = returnedAtMs.get(id) ?? clock.now()
    returnedAtMs.set(id, firstMs)
    if (clock.now() - firstMs >= RETURNED_PATIENCE_MS) return reason
    throw new Error(reason)
  }

  async function park({ id, event }: Pick<DueEvent, 'id' | 'event'>, reason: string): Promise<void> {
    await outbox.park(id, reason, clock.now())
    metrics.count('sluice_events_parked_total')
    log.error('Parked an event', { id, event: event.id, type: event.type, subject: event.subject, reason })
  }

  function putOff({ id, event }: DueEvent, error: unknown): void {
    const count = (failures.get(id) ?? 0) + 1
    failures.set(id, count)
    metrics.count('sluice_relay_retries_total')
    const delayMs = Math.round(backoffMs(RETRY, count, random))
    log.warn('An event was not delivered and will be sent again', {
      id,
      event: event.id,
      failures: count,
      retryInMs: delayMs,
      reason: messageOf(error),
    })
    const cancel = clock.after(delayMs, () => {
      retries.delete(cancel)
      busy.delete(id)
      wake()
    })
    retries.add(cancel)
  }

  function release(id: string): void {
    busy.delete(id)
    failures.delete(id)
    returnedAtMs.delete(id)
    confirmed.delete(id)
  }

  async function sweep(): Promise<void> {
    wake()
    try {
      const { committed, oldestCommittedAtMs } = await outbox.counts()
      const ageMs = oldestCommittedAtMs === undefined ? 0 : Math.max(0, clock.now() - oldestCommittedAtMs)
      metrics.gauge('sluice_outbox_pending', committed)
      metrics.gauge('sluice_outbox_oldest_age_seconds', ageMs / 1_000)
    } catch (error) {
      log.error('Cannot read the outbox', { reason: messageOf(error) })
    }
    if (!stopped) cancelSweep = clock.after(SWEEP_MS, sweep)
  }

  const endReadyCalls = publisher.onReady(wake)
  void sweep()

  return {
    wake,

    async flush(withinMs) {
      let isLate = false
      const deadline = Promise.withResolvers<void>()
      const cancel = clock.after(withinMs, () => {
        isLate = true
        deadline.resolve()
      })
      for (;;) {
        const left = (await outbox.counts()).committed
        const isAway = publisher.state.name === 'away' || publisher.state.name === 'closed'
        // What was put off comes again later than a stop should take.
        const isPutOff = inFlight.size === 0 && busy.size >= left
        if (left === 0 || isLate || isAway || isPutOff || stopped) {
          cancel()
          return left
        }
        wake()
        await Promise.race([deadline.promise, new Promise<void>((resolve) => onSettled.push(resolve))])
      }
    },

    async stop() {
      stopped = true
      cancelSweep()
      endReadyCalls()
      while (inFlight.size > 0) await Promise.all(inFlight)
      for (const cancel of retries) cancel()
    },
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
