import type { Clock } from '../core/clock.ts'
import { addressOf, namingSchema } from '../core/event-recipe.ts'
import type { EventSchema } from '../core/event-schema.ts'
import type { CloudEvent } from '../core/events.ts'
import type { AskUpstream } from '../core/own-request.ts'
import type { Logger, Metrics } from '../core/telemetry.ts'
import { type Backoff, backoffMs } from './backoff.ts'
import { type Outbox, OutboxClosedError, type OutboxEntry, OutboxStateError, type PostponedAttempt } from './outbox.ts'
import { createRounds } from './rounds.ts'
import { attemptToSettle, type Finding, type Unsettled } from './settle-attempt.ts'
import { ageMs, isTooLate, leftToOperator, tooLate, whenNext } from './settle-bound.ts'
import { createSettleLines } from './settle-lines.ts'
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
  /** Somebody wants it tried now: upstreams that were left alone are asked again. */
  tryNow(): void
  /** Starts no further attempt, gives up those under way, and resolves when there are none. Comes before the outbox is closed. */
  stop(): Promise<void>
}

/** What requests, operators and other gateways have left is found by looking. */
const SWEEP_MS = 1_000
const BATCH = 100
const RETRY: Backoff = { baseMs: 1_000, maxMs: 60_000 }
/** Those that wait for one upstream come back within this time, not all at once. */
const SPREAD_MS = 1_000
/** What could not be noted would be found again, and asked again, at once. */
const REST_MS = 1_000

/** Starts a settler: it looks when an attempt is due, and every second in any case. */
export function createSettler(parts: SettlerParts): Settler {
  const { outbox, clock, random, log, metrics, wake } = parts
  const stopping = new AbortController()
  const { signal } = stopping
  const pauses = createUpstreamPauses(random)
  /** A reading of the monotonic clock. */
  let restsUntilMs = Number.NEGATIVE_INFINITY
  const rounds = createRounds({
    clock,
    everyMs: SWEEP_MS,
    look: () => look().catch((error: unknown) => log.error('Cannot read the outbox', { reason: messageOf(error) })),
  })
  const lines = createSettleLines({
    work: (entry) => settle(entry).catch((error: unknown) => report(entry, error)),
    onRoom: rounds.wake,
  })

  function isActive(): boolean {
    return !signal.aborted && parts.isInCharge() && clock.monotonic() >= restsUntilMs
  }

  async function look(): Promise<void> {
    for (;;) {
      if (!isActive()) return
      const due = await outbox.unsettled(BATCH, clock.now(), lines.inHand)
      await Promise.all(due.map((entry) => take(entry).catch((error: unknown) => report(entry, error))))
      if (due.length < BATCH) return
    }
  }

  async function take(entry: OutboxEntry): Promise<void> {
    const unsettled = unsettledOf(entry)
    const done = withoutAsking(entry, unsettled)
    if (done) await done
    else if (unsettled) lines.add(unsettled.settlement.upstream, entry)
  }

  /** It may have stood in its line for a while. */
  async function settle(entry: OutboxEntry): Promise<void> {
    if (!isActive()) return
    const unsettled = unsettledOf(entry)
    const done = withoutAsking(entry, unsettled)
    if (done) await done
    else if (unsettled) await ask(unsettled)
  }

  /** What becomes of an entry that is not to be asked about now; `undefined` when it is. */
  function withoutAsking(entry: OutboxEntry, unsettled: Unsettled | undefined): Promise<void> | undefined {
    if (!unsettled) return park(entry, leftToOperator(entry))
    const nowMs = clock.now()
    if (isTooLate(unsettled, nowMs)) return park(entry, tooLate(unsettled, nowMs))
    const pausedForMs = pausedFor(unsettled)
    return pausedForMs > 0 ? wait(unsettled, pausedForMs) : undefined
  }

  async function ask(unsettled: Unsettled): Promise<void> {
    const finding = await attemptToSettle(unsettled, signal, parts)
    notePauses(unsettled.settlement.upstream, finding)
    await conclude(unsettled, finding)
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

  async function postpone({ entry, settlement }: Unsettled, reason: string, afterMs = 0): Promise<void> {
    const attempts = entry.attempts + 1
    const unsettled = { entry: { ...entry, attempts, reason }, settlement }
    const pausedForMs = pausedFor(unsettled)
    const waitMs = Math.max(afterMs, backoffMs(RETRY, attempts, random), spread(pausedForMs))
    const nowMs = clock.now()
    const nextAtMs = whenNext(unsettled, nowMs, { waitMs, pausedForMs })
    if (nextAtMs === undefined) return park(entry, tooLate(unsettled, nowMs))
    await sleepUntil(nextAtMs, entry.id, { attempts, reason })
    count('postponed')
    log.warn('An outcome is still unknown', { ...factsOf(entry), attempts, retryInMs: nextAtMs - nowMs, reason })
  }

  /** Not asked at all: that is no attempt. */
  async function wait(unsettled: Unsettled, pausedForMs: number): Promise<void> {
    const { entry } = unsettled
    const nowMs = clock.now()
    const nextAtMs = whenNext(unsettled, nowMs, { waitMs: spread(pausedForMs), pausedForMs })
    if (nextAtMs === undefined) return park(entry, tooLate(unsettled, nowMs))
    const { id, attempts, reason = 'the upstream does not answer' } = entry
    await sleepUntil(nextAtMs, id, { attempts, reason })
  }

  async function sleepUntil(nextAtMs: number, id: string, attempt: Omit<PostponedAttempt, 'nextAtMs'>): Promise<void> {
    await outbox.postpone(id, { ...attempt, nextAtMs })
    rounds.wakeAt(nextAtMs)
  }

  function pausedFor({ settlement: { upstream } }: Unsettled): number {
    return pauses.left(upstream, clock.monotonic()) ?? 0
  }

  function spread(pausedForMs: number): number {
    return pausedForMs > 0 ? pausedForMs + random() * SPREAD_MS : 0
  }

  /** An operator, or the request itself, was faster; or the outbox cannot be written, and a later look finds it again. */
  function report(entry: OutboxEntry, error: unknown): void {
    if (signal.aborted || error instanceof OutboxStateError || error instanceof OutboxClosedError) return
    restsUntilMs = clock.monotonic() + REST_MS
    log.error('Cannot settle an unknown outcome now', { ...factsOf(entry), reason: messageOf(error) })
  }

  function count(outcome: 'committed' | 'rejected' | 'postponed' | 'parked'): void {
    metrics.count('sluice_settle_total', { outcome })
  }

  return {
    tryNow() {
      pauses.forget()
      rounds.wake()
    },
    async stop() {
      stopping.abort(new Error('the gateway stops'))
      await rounds.stop()
      await lines.ended()
    },
  }
}

function unsettledOf(entry: OutboxEntry): Unsettled | undefined {
  const { settlement } = entry.draft
  return settlement && { entry, settlement }
}

/** A key may be as long as a header section. */
const MAX_KEY = 255

function factsOf({ id, draft: { route, method, path, idempotencyKey } }: OutboxEntry) {
  return { event: id, route, method, path: path.split('?', 1)[0], idempotencyKey: idempotencyKey?.slice(0, MAX_KEY) }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
