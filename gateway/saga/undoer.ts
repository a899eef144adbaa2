import type { Clock } from '../core/clock.ts'
import type { SagaHook } from '../core/journal.ts'
import type { AskUpstream } from '../core/own-request.ts'
import type { Logger, Metrics } from '../core/telemetry.ts'
import { type Backoff, backoffMs } from '../events/backoff.ts'
import { createRounds } from '../events/rounds.ts'
import { createUpstreamPauses } from '../events/upstream-pauses.ts'
import { boundOf, isForgotten, isLate } from './bounds.ts'
import { factsOf, type JournalWrite, nextToUndo, type SagaEntry, type SagaState, withWrite } from './saga-entry.ts'
import type { SagaNews } from './saga-news.ts'
import { JournalClosedError, SagaGoneError, type SagaStorage } from './saga-storage.ts'
import { attemptToUndo, type Finding, isAskedAgain, type Undoable, upstreamOf } from './undo-attempt.ts'

export interface UndoerParts {
  readonly storage: SagaStorage
  readonly clock: Clock
  /** Uniform in [0, 1); spreads the attempts. */
  readonly random: () => number
  readonly log: Logger
  readonly metrics: Metrics
  /** Through the upstreams of the configuration that holds now. */
  readonly ask: AskUpstream
  readonly news: SagaNews
  readonly onStep?: SagaHook
}

/** Undoes writes: those of requests that failed, and those that dead gateways left behind. */
export interface Undoer {
  /** There is something to undo. */
  wake(): void
  /** The same, and somebody wants it tried now: upstreams that were left in peace are asked again. */
  tryNow(): void
  /** Starts no further attempt, gives up those under way, and resolves when there are none. Comes before the journal is closed. */
  stop(): Promise<void>
}

/** What other gateways have left is found by looking. */
const SWEEP_MS = 1_000
const BATCH = 100
/** Sagas that are undone at once, each write after write. */
const AT_ONCE = 16
/** The last try must be over before the bound is. */
const LAST_TRY_MS = 2_000
const RETRY: Backoff = { baseMs: 1_000, maxMs: 60_000 }
/** Those that wait for one upstream come back within this time, not all at once. */
const SPREAD_MS = 1_000
/** Among the pauses, and no name of an upstream. */
const JOURNAL = ''

/** Starts an undoer: it looks when it is woken, when an attempt is due, and every second in any case. */
export function createUndoer(parts: UndoerParts): Undoer {
  const { storage, clock, random, log, metrics, news, onStep } = parts
  const stopping = new AbortController()
  const { signal } = stopping
  const pauses = createUpstreamPauses(random)
  const busy = new Map<string, Promise<void>>()
  const rounds = createRounds({
    clock,
    everyMs: SWEEP_MS,
    look: () => look().catch((error: unknown) => log.error('Cannot read the journal', { reason: messageOf(error) })),
  })

  async function look(): Promise<void> {
    if (pauses.left(JOURNAL, clock.monotonic()) !== undefined) return
    const due = await storage.claim(BATCH, clock.now())
    for (const entry of due) {
      if (signal.aborted || busy.size >= AT_ONCE) return
      if (busy.has(entry.id)) continue
      const work = undo(entry)
        .catch((error: unknown) => report(entry, error))
        .finally(() => {
          busy.delete(entry.id)
          if (due.length > AT_ONCE && busy.size === 0) rounds.wake()
        })
      busy.set(entry.id, work)
    }
  }

  async function undo(found: SagaEntry): Promise<void> {
    let entry: SagaEntry = found
    for (;;) {
      if (signal.aborted) return
      const write = nextToUndo(entry)
      if (!write?.compensation) return finish(entry)
      const undoable = { entry, write, compensation: write.compensation }
      const pausedForMs = pausedFor(undoable)
      if (pausedForMs > 0 && !isLate(entry, clock.now())) return wait(entry, pausedForMs)
      const finding = await attempt(undoable)
      const next = await conclude(undoable, finding)
      if (!next) return
      entry = next
    }
  }

  async function attempt(undoable: Undoable): Promise<Finding> {
    // An upstream that has forgotten the key by now would do the write a second time.
    if (isAskedAgain(undoable) && isForgotten(undoable.entry, clock.now())) {
      return {
        kind: 'hopeless',
        reason: `${undoable.write.reason ?? 'its outcome is unknown'}; it is too late to ask again`,
      }
    }
    await onStep?.('before-compensation')
    const finding = await attemptToUndo(undoable, signal, parts)
    await onStep?.('after-compensation')
    const upstream = upstreamOf(undoable)
    if (finding.kind !== 'again' || !finding.isUpstreamAway) pauses.answered(upstream)
    else pauses.failed(upstream, clock.monotonic(), finding.afterMs)
    return finding
  }

  /** The saga as it is now; undefined when it has to wait. */
  async function conclude(undoable: Undoable, finding: Finding): Promise<SagaEntry | undefined> {
    const { entry, write, compensation } = undoable
    switch (finding.kind) {
      case 'undone':
        count('undone')
        log.info('Undid a write', factsOfWrite(entry, write))
        return advance(entry, write, { stage: 'undone' })
      case 'done': {
        const values = { ...compensation.values, ...finding.ofReply }
        return advance(entry, write, { stage: 'done', compensation: { ...compensation, values } })
      }
      case 'not-done':
        count('not-needed')
        return advance(entry, write, { stage: 'not-done' })
      case 'hopeless':
        return giveUp(entry, write, finding.reason)
      case 'again':
        return postpone(undoable, finding)
    }
  }

  async function advance(
    entry: SagaEntry,
    write: JournalWrite,
    change: Partial<Omit<JournalWrite, 'part'>>,
  ): Promise<SagaEntry> {
    const { nextAtMs: _, lastFailure: __, ...rest } = entry
    return put({ ...rest, attempts: 0, writes: withWrite(entry.writes, write.part, change) })
  }

  /** The others are undone all the same: what stays is the less for it. */
  async function giveUp(entry: SagaEntry, write: JournalWrite, stuck: string): Promise<SagaEntry> {
    count('stuck')
    log.error('Cannot undo a write', { ...factsOfWrite(entry, write), reason: stuck })
    return advance(entry, write, { stuck })
  }

  async function postpone(
    undoable: Undoable,
    { reason, afterMs = 0 }: Extract<Finding, { kind: 'again' }>,
  ): Promise<SagaEntry | undefined> {
    const { entry, write } = undoable
    const nowMs = clock.now()
    const attempts = entry.attempts + 1
    const leftMs = boundOf(entry) - nowMs
    if (leftMs <= 0) return giveUp(entry, write, `not undone in time, tried ${attempts} times: ${reason}`)
    const pausedForMs = pausedFor(undoable)
    const waitMs = Math.max(afterMs, backoffMs(RETRY, attempts, random), spread(pausedForMs))
    const lastTryMs = leftMs > LAST_TRY_MS * 2 ? leftMs - LAST_TRY_MS : leftMs
    const nextAtMs = Math.ceil(nowMs + Math.min(waitMs, pausedForMs > lastTryMs ? leftMs : lastTryMs))
    count('postponed')
    log.warn('A write is still to be undone', {
      ...factsOfWrite(entry, write),
      upstream: upstreamOf(undoable),
      attempts,
      retryInMs: nextAtMs - nowMs,
      reason,
    })
    await sleepUntil(nextAtMs, { ...entry, attempts, lastFailure: { reason, atMs: nowMs } })
    return undefined
  }

  /** Not asked at all: that is no attempt. */
  async function wait(entry: SagaEntry, pausedForMs: number): Promise<void> {
    await sleepUntil(Math.min(Math.ceil(clock.now() + spread(pausedForMs)), boundOf(entry)), entry)
  }

  async function sleepUntil(nextAtMs: number, entry: SagaEntry): Promise<void> {
    await put({ ...entry, nextAtMs })
    rounds.wakeAt(nextAtMs)
  }

  function pausedFor(undoable: Undoable): number {
    return pauses.left(upstreamOf(undoable), clock.monotonic()) ?? 0
  }

  function spread(pausedForMs: number): number {
    return pausedForMs > 0 ? pausedForMs + random() * SPREAD_MS : 0
  }

  async function finish(entry: SagaEntry): Promise<void> {
    const stuck = entry.writes.filter((write) => write.stuck !== undefined)
    if (stuck.length === 0) {
      await put({ ...entry, state: 'undone' })
      await onStep?.('after-undone')
      return
    }
    const reason = stuck.map((write) => `${write.part}: ${write.stuck}`).join('; ')
    await put({ ...entry, state: 'parked', reason, parkedAtMs: clock.now() })
    count('parked')
    log.error('Parked writes that cannot be undone', { ...factsOf(entry), reason })
  }

  async function put<State extends SagaState>(entry: SagaEntry<State>): Promise<SagaEntry<State>> {
    await storage.change(entry.id, () => entry)
    pauses.answered(JOURNAL)
    news.tell(entry)
    return entry
  }

  /** Another process or an operator was faster; or the journal cannot be written, and a later look finds it again. */
  function report(entry: SagaEntry, error: unknown): void {
    if (signal.aborted || error instanceof SagaGoneError || error instanceof JournalClosedError) return
    // What was undone and not noted would be undone anew every second.
    pauses.failed(JOURNAL, clock.monotonic())
    log.error('Cannot undo the writes of a request now', { ...factsOf(entry), reason: messageOf(error) })
  }

  function count(outcome: 'undone' | 'not-needed' | 'postponed' | 'stuck' | 'parked'): void {
    metrics.count('sluice_compensations_total', { outcome })
  }

  return {
    wake: rounds.wake,
    tryNow() {
      pauses.forget()
      rounds.wake()
    },
    async stop() {
      stopping.abort(new Error('the gateway stops'))
      await rounds.stop()
      await Promise.all(busy.values())
    },
  }
}

function factsOfWrite(entry: SagaEntry, { part, upstream }: JournalWrite) {
  return { ...factsOf(entry), part, upstream }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
