import type { Clock } from '../core/clock.ts'
import { addressOf, namingSchema } from '../core/event-recipe.ts'
import type { EventSchema } from '../core/event-schema.ts'
import type { CloudEvent } from '../core/events.ts'
import type { AskUpstream } from '../core/own-request.ts'
import type { Logger, Metrics } from '../core/telemetry.ts'
import { type Backoff, backoffMs } from './backoff.ts'
import {
  LONGEST_POSTPONEMENT_MS,
  type Outbox,
  OutboxClosedError,
  type OutboxEntry,
  OutboxStateError,
} from './outbox.ts'
import { attemptToSettle, type Finding, type Unsettled } from './settle-attempt.ts'
import { ageMs, isTooLate, leftToOperator, tooLate, whenNext } from './settle-bound.ts'
import { createUpstreamPauses } from './upstream-pauses.ts'

export interface SettlerParts {
  readonly outbox: Outbox
  readonly clock: Clock
  /** Uniform in [0, 1); spreads the attempts. */
  readonly random: () => number
  readonly log: Logger
  readonly metrics: Metrics
  /** Through the upstreams of the configuration that holds now. */
  readonly ask: AskUpstream
  /** What the data of an event type must look like, as the configuration that holds now has it. */
  readonly eventSchema: (type: string) => EventSchema | undefined
  /** Whether this process may settle: one of those that share the outbox. */
  readonly isInCharge: () => boolean
  /** Called when an event has become due. */
  readonly wake: () => void
}

/** Finds out what became of requests whose outcome is unknown, and sets aside those for which it cannot. */
export interface Settler {
  /** Starts no further attempt, gives up those under way, and resolves when there are none. Comes before the outbox is closed. */
  stop(): Promise<void>
}

const SWEEP_MS = 1_000
const BATCH = 100
/** Requests to one upstream at once: it has its clients to serve. */
const PER_UPSTREAM = 4
/** How long a sweep asks one upstream before it looks at what others have waiting. */
const TURN_MS = 5_000
const RETRY: Backoff = { baseMs: 1_000, maxMs: 60_000 }

/** Starts a settler: it looks every second for what is unknown and due. */
export function createSettler(parts: SettlerParts): Settler {
  const { outbox, clock, random, log, metrics, wake } = parts
  const stopping = new AbortController()
  const { signal } = stopping
  const pauses = createUpstreamPauses(random)
  let running: Promise<void> | undefined
  let cancelSweep = () => {}
  /** By upstream, when its turn in this sweep is over; readings of the monotonic clock. */
  const turnEndsMs = new Map<string, number>()

  async function settleDue(): Promise<void> {
    turnEndsMs.clear()
    for (;;) {
      if (signal.aborted || !parts.isInCharge()) return
      const due = await outbox.unsettled(BATCH, clock.now())
      let failures = 0
      const noteFailure = (entry: OutboxEntry, error: unknown) => {
        failures++
        report(entry, error)
      }
      await Promise.all([...byUpstream(due).values()].map((group) => work(group, noteFailure)))
      // What failed would be found again at once; the next sweep is soon enough.
      if (due.length < BATCH || failures > 0) return
    }
  }

  /** One upstream that hangs holds up its own entries, and others for its turn at most. */
  async function work(
    group: readonly OutboxEntry[],
    noteFailure: (entry: OutboxEntry, error: unknown) => void,
  ): Promise<void> {
    const left = group.values()
    const worker = async () => {
      for (const entry of left) {
        if (signal.aborted || !parts.isInCharge()) return
        await settle(entry).catch((error: unknown) => noteFailure(entry, error))
      }
    }
    await Promise.all(Array.from({ length: PER_UPSTREAM }, worker))
  }

  async function settle(entry: OutboxEntry): Promise<void> {
    const { settlement } = entry.draft
    if (!settlement) return park(entry, leftToOperator(entry))
    const unsettled: Unsettled = { entry, settlement }
    const nowMs = clock.now()
    if (isTooLate(unsettled, nowMs)) return park(entry, tooLate(unsettled, nowMs))
    const pausedForMs = pauses.left(settlement.upstream, clock.monotonic())
    if (pausedForMs !== undefined) return wait(unsettled, pausedForMs)
    if (isTurnOver(settlement.upstream)) return wait(unsettled, SWEEP_MS)
    const finding = await attemptToSettle(unsettled, signal, parts)
    notePauses(settlement.upstream, finding)
    await conclude(unsettled, finding)
  }

  /** One slow upstream with many entries must not keep the others from theirs: what it has left comes after them. */
  function isTurnOver(upstream: string): boolean {
    const nowMs = clock.monotonic()
    const endMs = turnEndsMs.get(upstream) ?? nowMs + TURN_MS
    turnEndsMs.set(upstream, endMs)
    return nowMs >= endMs
  }

  function notePauses(upstream: string, finding: Finding): void {
    if (finding.kind !== 'again' || !finding.isUpstreamAway) pauses.answered(upstream)
    else pauses.failed(upstream, clock.monotonic(), finding.afterMs)
  }

  async function conclude(unsettled: Unsettled, finding: Finding): Promise<void> {
    const { entry, settlement } = unsettled
    switch (finding.kind) {
      case 'accepted':
        return announce(unsettled, finding.event)
      case 'refused':
        return drop(entry, 'the upstream refuses the request')
      case 'hopeless':
        return park(entry, finding.reason)
      case 'absent': {
        // The first request may reach the upstream late: nothing found says little before then.
        const isCertain = ageMs(entry, clock.now()) >= settlement.withinMs / 2
        return isCertain ? drop(entry, 'the upstream has nothing of it') : postpone(unsettled, 'not there yet')
      }
      case 'again':
        return postpone(unsettled, finding.reason, finding.afterMs)
    }
  }

  async function announce({ entry, settlement: { recipe } }: Unsettled, event: CloudEvent): Promise<void> {
    const address = addressOf(recipe)
    const committedAtMs = clock.now()
    const schema = parts.eventSchema(event.type)
    const misfit = schema?.misfit(event.data)
    if (misfit !== undefined) {
      await outbox.withhold(entry.id, { event, address, committedAtMs }, misfit)
      return noteParked(entry, misfit)
    }
    await outbox.commit(entry.id, { event: namingSchema(event, schema), address, committedAtMs })
    wake()
    count('committed')
    log.info('Settled an unknown outcome', { ...factsOf(entry), outcome: 'committed', subject: event.subject })
  }

  async function drop(entry: OutboxEntry, reason: string): Promise<void> {
    await outbox.reject(entry.id)
    count('rejected')
    log.info('Settled an unknown outcome', { ...factsOf(entry), outcome: 'rejected', reason })
  }

  async function park(entry: OutboxEntry, reason: string): Promise<void> {
    await outbox.park(entry.id, reason, clock.now())
    noteParked(entry, reason)
  }

  function noteParked(entry: OutboxEntry, reason: string): void {
    count('parked')
    metrics.count('sluice_events_parked_total')
    log.error('Parked an unknown outcome', { ...factsOf(entry), reason })
  }

  async function postpone(unsettled: Unsettled, reason: string, afterMs = 0): Promise<void> {
    const { entry } = unsettled
    const nowMs = clock.now()
    const attempts = entry.attempts + 1
    const nextAtMs = whenNext(unsettled, nowMs, Math.max(afterMs, backoffMs(RETRY, attempts, random)))
    if (nextAtMs === undefined)
      return park(entry, tooLate({ ...unsettled, entry: { ...entry, attempts, reason } }, nowMs))
    await outbox.postpone(entry.id, { attempts, nextAtMs, reason })
    count('postponed')
    log.warn('An outcome is still unknown', { ...factsOf(entry), attempts, retryInMs: nextAtMs - nowMs, reason })
  }

  /** Not asked at all: that is no attempt. */
  async function wait({ entry }: Unsettled, forMs: number): Promise<void> {
    const { id, attempts, reason = 'the upstream does not answer' } = entry
    const waitMs = Math.min(forMs + random() * SWEEP_MS, LONGEST_POSTPONEMENT_MS)
    await outbox.postpone(id, { attempts, nextAtMs: Math.round(clock.now() + waitMs), reason })
  }

  /** An operator, or the request itself, was faster; or the outbox cannot be written, and the next look finds it again. */
  function report(entry: OutboxEntry, error: unknown): void {
    if (signal.aborted || error instanceof OutboxStateError || error instanceof OutboxClosedError) return
    log.error('Cannot settle an unknown outcome now', { ...factsOf(entry), reason: messageOf(error) })
  }

  function count(outcome: 'committed' | 'rejected' | 'postponed' | 'parked'): void {
    metrics.count('sluice_settle_total', { outcome })
  }

  function sweep(): void {
    running = settleDue()
      .catch((error: unknown) => log.error('Cannot read the outbox', { reason: messageOf(error) }))
      .finally(() => {
        running = undefined
        if (!signal.aborted) cancelSweep = clock.after(SWEEP_MS, sweep)
      })
  }

  cancelSweep = clock.after(SWEEP_MS, sweep)

  return {
    async stop() {
      stopping.abort(new Error('the gateway stops'))
      cancelSweep()
      await running
    },
  }
}

function byUpstream(entries: readonly OutboxEntry[]): Map<string, OutboxEntry[]> {
  return Map.groupBy(entries, ({ draft }) => draft.settlement?.upstream ?? '')
}

/** A key may be as long as a header section. */
const MAX_KEY = 255

function factsOf({ id, draft: { route, method, path, idempotencyKey } }: OutboxEntry) {
  return { event: id, route, method, path: path.split('?', 1)[0], idempotencyKey: idempotencyKey?.slice(0, MAX_KEY) }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
