import type { Clock } from '../core/clock.ts'
import type { StepHook } from '../core/events.ts'
import type { Logger, Metrics } from '../core/telemetry.ts'
import { type Backoff, backoffMs } from './backoff.ts'
import { createDelivery } from './delivery.ts'
import { createFailureNotices } from './failure-notices.ts'
import type { Lease } from './lease.ts'
import type { DueEvent, Outbox } from './outbox.ts'
import { measureOutbox } from './outbox-gauges.ts'
import type { Publisher } from './publisher.ts'
import { createPutOffs, type Waiting } from './put-offs.ts'
import { createWithheldAddresses } from './withheld-addresses.ts'

export interface RelayParts {
  readonly outbox: Outbox
  readonly publisher: Publisher
  /** Nothing is published without it. */
  readonly lease: Pick<Lease, 'isHeld' | 'onHeld'>
  readonly clock: Clock
  /** Uniform in [0, 1); spreads retries. */
  readonly random: () => number
  readonly log: Logger
  readonly metrics: Metrics
  /** Told of each step between publishing an event and marking it. */
  readonly onStep?: StepHook | undefined
}

/** Carries committed events from the outbox to the broker, at least once, each subject's in order. */
export interface Relay {
  /** There may be something to publish: looks at once. Neither throws nor waits. */
  wake(): void
  /**
   * Publishes what is due until nothing is left, the broker is away, another process has the lease, or `withinMs`
   * milliseconds have passed. Resolves with the number of events that stay in the outbox.
   */
  flush(withinMs: number): Promise<number>
  /** Why a committed event waits, as far as this process knows; undefined when it is about to be sent. */
  waiting(entry: Pick<DueEvent, 'id' | 'event' | 'address'>): Waiting | undefined
  /** Starts nothing further, and resolves when nothing is in flight. Comes before lease and outbox are ended. */
  stop(): Promise<void>
}

const SWEEP_MS = 1_000
const FLUSH_LOOK_MS = 100
const BATCH = 100
const MAX_IN_FLIGHT = 256
const RETRY: Backoff = { baseMs: 100, maxMs: 30_000 }

const NOT_OURS =
  'this gateway does not have the lease of the outbox: the one knows why whose sluice_relay_lease_held is 1'
const NOT_CONNECTED = 'the connection to the broker does not stand yet'

/** Starts a relay: it publishes when woken, and sweeps up every second what was left for any reason. */
export function createRelay(parts: RelayParts): Relay {
  const { outbox, publisher, lease, clock, random, log, metrics } = parts
  const delivery = createDelivery(parts)
  /** Entries in flight or put off; what comes after them in their subjects waits with them. */
  const busy = new Set<string>()
  const withheld = createWithheldAddresses()
  const putOffs = createPutOffs()
  const tellFailure = createFailureNotices(clock, log)
  const inFlight = new Set<Promise<void>>()
  const retries = new Set<() => void>()
  /** Put off, and to be tried again as soon as anything may be published. */
  const again: DueEvent[] = []
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
      if (stopped || room <= 0 || publisher.state.name !== 'ready' || !lease.isHeld) return
      const [retry] = again
      if (retry) {
        await startAgain(retry)
        continue
      }
      const due = await outbox.due(room, busy, withheld.keys)
      if (stopped || !lease.isHeld) return
      for (const entry of due) start(entry)
      if (due.length < room) return
    }
  }

  /** It may have become another's meanwhile: parked by an operator, or delivered by a process that had the lease. */
  async function startAgain(entry: DueEvent): Promise<void> {
    const found = await outbox.find(entry.id)
    again.shift()
    if (found?.state !== 'committed') release(entry)
    else if (!stopped && lease.isHeld) start(entry)
    else again.push(entry)
  }

  function start(entry: DueEvent): void {
    busy.add(entry.id)
    const delivering = delivery
      .deliver(entry)
      .then(() => release(entry))
      .catch((error) => {
        // Whoever has the lease now sends it again; should that be this process once more, it begins anew.
        if (lease.isHeld) return putOff(entry, error)
        busy.delete(entry.id)
        putOffs.ended(entry.id)
        withheld.ended(entry.address)
      })
      .finally(() => {
        inFlight.delete(delivering)
        for (const resolve of onSettled) resolve()
        onSettled = []
        wake()
      })
    inFlight.add(delivering)
  }

  function putOff(entry: DueEvent, error: unknown): void {
    const { id, address } = entry
    const reason = messageOf(error)
    withheld.failed(address)
    const failures = putOffs.failed(entry, reason)
    metrics.count('sluice_relay_retries_total')
    const delayMs = Math.round(backoffMs(RETRY, failures, random))
    putOffs.until(id, clock.now() + delayMs)
    tellFailure({ entry, failures, retryInMs: delayMs, reason })
    const cancel = clock.after(delayMs, () => {
      retries.delete(cancel)
      again.push(entry)
      wake()
    })
    retries.add(cancel)
  }

  function release({ id, address }: DueEvent): void {
    busy.delete(id)
    withheld.ended(address)
    putOffs.ended(id)
    delivery.forget(id)
  }

  async function sweep(): Promise<void> {
    wake()
    await measureOutbox(outbox, clock, metrics).catch((error) =>
      log.error('Cannot read the outbox', { reason: messageOf(error) }),
    )
    if (!stopped) cancelSweep = clock.after(SWEEP_MS, sweep)
  }

  /** Resolves when a delivery has ended either way, or after a moment. */
  async function nextChange(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    onSettled.push(resolve)
    const cancel = clock.after(FLUSH_LOOK_MS, resolve)
    await promise
    cancel()
  }

  const endReadyCalls = publisher.onReady(wake)
  const endLeaseCalls = lease.onHeld(wake)
  void sweep()

  return {
    wake,

    async flush(withinMs) {
      const endMs = clock.monotonic() + withinMs
      for (;;) {
        const isAway = publisher.state.name === 'away' || publisher.state.name === 'closed' || !lease.isHeld
        const isOver = isAway || stopped || clock.monotonic() >= endMs
        // Counting reads the whole outbox: not after every single one of many deliveries.
        if (isOver || inFlight.size === 0) {
          const left = (await outbox.counts()).committed
          // What was put off comes again later than a stop should take.
          if (isOver || left === 0 || (inFlight.size === 0 && busy.size >= left)) return left
        }
        wake()
        await nextChange()
      }
    },

    waiting(entry) {
      if (!lease.isHeld) return { reason: NOT_OURS }
      const found = putOffs.of(entry, withheld.keys)
      const { state } = publisher
      if (state.name === 'ready') return found
      // When the broker is back nobody knows.
      const { nextAtMs: _, ...rest } = found ?? {}
      return { ...rest, reason: 'reason' in state ? `the broker is ${state.name}: ${state.reason}` : NOT_CONNECTED }
    },

    async stop() {
      stopped = true
      cancelSweep()
      endReadyCalls()
      endLeaseCalls()
      while (inFlight.size > 0) await Promise.all(inFlight)
      for (const cancel of retries) cancel()
    },
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
